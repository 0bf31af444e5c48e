import { Flags, type Interfaces } from "@oclif/core";
import { GatehouseError } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { isLabelTarget, parseHostTarget, type ChosenHost } from "@gatehouse/core/client/ssh";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { openHostSession, type HostSession } from "../ssh/hosts.ts";
import { exitCodeOf, findProgram, runOpenSsh } from "../ssh/openssh.ts";
import { splitAtTarget } from "../ssh/words.ts";

const own = {
  ...loginFlags,
  ...formatFlag,
  login: Flags.string({ char: "l", summary: "The account on the host", helpValue: "<name>" }),
  port: Flags.integer({ char: "p", summary: "Port of the host; else the one that it is registered with", min: 1, max: 65_535 }),
  forward: Flags.string({ char: "L", summary: "Let a port here lead to one that the host reaches", helpValue: "<[addr:]port:host:port>", multiple: true, multipleNonGreedy: true }),
  "remote-forward": Flags.string({ char: "R", summary: "Let a port on the host lead to one that this machine reaches", helpValue: "<[addr:]port:host:port>", multiple: true, multipleNonGreedy: true }),
  "dynamic-forward": Flags.string({ char: "D", summary: "A SOCKS proxy here that goes out from the host", helpValue: "<[addr:]port>", multiple: true, multipleNonGreedy: true }),
  "forward-agent": Flags.boolean({ char: "A", summary: "Let the host ask your SSH agent" }),
  tty: Flags.boolean({ char: "t", summary: "A terminal even for a command", exclusive: ["no-tty"] }),
  "no-tty": Flags.boolean({ char: "T", summary: "No terminal even for a shell" }),
  "no-command": Flags.boolean({ char: "N", summary: "Run nothing: for forwarded ports alone" }),
  option: Flags.string({ char: "o", summary: "An option of OpenSSH's ssh_config", helpValue: "<name=value>", multiple: true, multipleNonGreedy: true }),
  "local-command": Flags.string({ summary: "Run this here once the host is reached", helpValue: "<command>" }),
  "recording-info": Flags.boolean({ summary: "Say first whether the gateway records the session" }),
  parallel: Flags.integer({ summary: "Hosts at once, where there are several", min: 1, max: 1000, default: 20 }),
  openssh: Flags.boolean({ summary: "Use OpenSSH where there is one; --no-openssh never does", default: true, allowNo: true }),
};

type SshFlags = Interfaces.InferredFlags<typeof own>;

/** `tsh ssh` */
export class Ssh extends AgentCommand {
  static override summary = "Log in to a host, or run a command on one or many";
  static override description = `Without a login it is your own name here, where the host lets you be that, else the only one that you may be. With label=value the command runs on every host that
has the label: each line comes with the host's name, and the exit code is 0 if it was 0 everywhere. On one host the command's exit code is the exit code.`;
  static override usage = "ssh [FLAGS] [LOGIN@]HOST|LABEL=VALUE [COMMAND]";
  static override examples = [
    "<%= config.bin %> ssh web-1",
    "<%= config.bin %> ssh deploy@web-1 systemctl status nginx",
    { description: "On every host with a label", command: "<%= config.bin %> ssh deploy@env=staging uptime" },
    { description: "A port of a database that the host reaches", command: "<%= config.bin %> ssh -N -L 5432:db.internal:5432 web-1" },
  ];
  static override strict = false;
  static override flags = own;

  /** Runs ssh, or what stands in for it. */
  async run(): Promise<void> {
    const split = splitAtTarget(this.argv, { ...own, ...Ssh.baseFlags });
    const { flags } = await this.parse(Ssh, [...split.own]);
    this.wakeAgent(flags.identity);
    const [text, ...command] = split.rest;
    if (text === undefined) throw new GatehouseError("usage", "tsh ssh needs a host: [login@]host, or login@label=value", { hint: "tsh ssh --help shows what it takes" });
    const parsed = parseHostTarget(text);
    const target = { ...parsed, login: flags.login ?? parsed.login, port: flags.port ?? parsed.port };
    const hosts = await openHostSession(flags);
    const chosen = await hosts.choose(target);
    const [first] = chosen;
    if (first === undefined) throw new GatehouseError("internal", "no host was chosen");
    const many = isLabelTarget(target.host) && command.length > 0;
    if (!many && chosen.length > 1) throw new GatehouseError("usage", `${chosen.length} hosts have ${target.host}: a command can run on them all, a terminal cannot`, { hint: `tsh ssh ${text} uptime; or one of them: ${chosen.slice(0, 10).map(({ shown }) => shown).join(", ")}` });
    if (!many && flags.format !== "text") throw new GatehouseError("usage", "--format is for commands on hosts with a label", { hint: "tsh ssh --format=json deploy@env=staging uptime" });
    if (!many) process.exitCode = await this.one(hosts, first, flags, command);
    else {
      const { runOnMany } = await import("../ssh/many.ts");
      process.exitCode = await runOnMany({ hosts, chosen, command, output: this.output, parallel: flags.parallel, format: flags.format, args: this.sshArgs(flags), openssh: flags.openssh });
    }
  }

  private sshArgs(flags: SshFlags): readonly string[] {
    const each = (letter: string, values: readonly string[] | undefined): readonly string[] => (values ?? []).flatMap((value) => [letter, value]);
    return [
      ...each("-L", flags.forward),
      ...each("-R", flags["remote-forward"]),
      ...each("-D", flags["dynamic-forward"]),
      ...each("-o", flags.option),
      ...(flags["local-command"] === undefined ? [] : ["-o", "PermitLocalCommand=yes", "-o", `LocalCommand=${flags["local-command"].replaceAll("%", "%%")}`]),
      ...(flags["forward-agent"] ? ["-A"] : []),
      // Asked for by name it is a terminal, whatever standard input is.
      ...(flags.tty ? ["-tt"] : flags["no-tty"] ? ["-T"] : []),
      ...(flags["no-command"] ? ["-N"] : []),
    ];
  }

  private async one(hosts: HostSession, host: ChosenHost, flags: SshFlags, command: readonly string[]): Promise<number> {
    const program = flags.openssh ? await findProgram("ssh") : undefined;
    if (program === undefined) {
      const { runWithoutOpenSsh } = await import("../ssh/without-openssh.ts");
      return runWithoutOpenSsh(hosts, host, flags, command, this.output);
    }
    const folder = await hosts.openFolder();
    try {
      const run = await folder.prepare({ ...host, flags: flags["recording-info"] ? ["--recording-info"] : [] });
      return await exitCodeOf(await runOpenSsh(program, ["-F", run.config, ...this.sshArgs(flags), "--", host.shown, ...command]), run);
    } finally {
      await folder.remove();
    }
  }
}
