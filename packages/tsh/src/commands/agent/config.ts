import { clientHome } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { formatData, formatFields } from "@gatehouse/core/client/terminal";
import { changeSettings, formatSetting, readSettings, settingNames, settingsPath } from "@gatehouse/agent/settings";

/** `tsh agent config` */
export class AgentConfig extends BaseCommand {
  static override summary = "Show what you have set for the local agent, or set it";
  static override description = `relogin=agent: at the end of a login that cannot be renewed the agent opens the login page by itself, at most once in ten minutes and on a desktop
alone (ask: commands say that you are to log in). agent=off: commands start no agent. confirm=true: you are asked before a login's key signs for ssh.
notifications=off: nothing is shown on the desktop. They are kept in config/config.yaml of ~/.tsh, where an editor may change them too.`;
  static override examples = ["<%= config.bin %> agent config", "<%= config.bin %> agent config relogin=agent notifications=off"];
  static override usage = "agent config [NAME=VALUE…] [--format=json|yaml]";
  static override strict = false;
  static override flags = formatFlag;

  /** Writes the changes, and prints what holds from now on. */
  async run(): Promise<void> {
    const { flags, argv } = await this.parse(AgentConfig);
    const home = clientHome(process.env);
    const settings = argv.length === 0 ? await readSettings(home) : await changeSettings(home, argv as string[]);
    if (flags.format === "text") this.output.stdout.write(formatFields(settingNames.map((name) => [name, formatSetting(settings[name])])));
    else this.output.stdout.write(await formatData(settings, flags.format));
    if (argv.length > 0 && flags.format === "text") this.output.stderr.write(`written to ${settingsPath(home)}\n`);
  }
}
