import { Flags } from "@oclif/core";
import { GatehouseError } from "@gatehouse/core/base";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { choosePlaces, copyFlags, copyLetters, placeWord } from "../ssh/copies.ts";
import { openHostSession } from "../ssh/hosts.ts";
import { exitCodeOf, findProgram, runOpenSsh } from "../ssh/openssh.ts";

/** `tsh sftp` */
export class Sftp extends AgentCommand {
  static override summary = "Look around in a host's files, and copy some";
  static override description = "With a path of a file it is fetched; with a folder's, or none, commands are asked for: help lists them.";
  static override usage = "sftp [FLAGS] [LOGIN@]HOST[:PATH] [TARGET]";
  static override examples = ["<%= config.bin %> sftp deploy@web-1", "<%= config.bin %> sftp -b commands.txt web-1", "<%= config.bin %> sftp web-1:/var/log/syslog ."];
  static override strict = false;
  static override flags = {
    ...loginFlags,
    ...copyFlags,
    batch: Flags.string({ char: "b", summary: "Commands from this file, - for standard input; the first that fails ends it", helpValue: "<file>" }),
  };

  /** Runs sftp. */
  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Sftp);
    this.wakeAgent(flags.identity);
    const [text, target, ...more] = argv as readonly string[];
    if (text === undefined || more.length > 0) throw new GatehouseError("usage", "tsh sftp needs a host, and at most a folder to copy to", { hint: "tsh sftp [login@]host[:path]" });
    const hosts = await openHostSession(flags);
    const hasPath = /^(?:[^/]*@)?(?:\[[^\]]*\]|[^:/[\]]+):/.test(text);
    const [place] = await choosePlaces([hasPath ? text : `${text}:`], hosts, flags.port);
    if (place?.host === undefined) throw new GatehouseError("usage", `"${text}" is not a host`);
    const program = flags.openssh ? await findProgram("sftp") : undefined;
    if (program === undefined) {
      const { sftpWithoutOpenSsh } = await import("../ssh/sftp-without-openssh.ts");
      process.exitCode = await sftpWithoutOpenSsh({ hosts, host: place.host, path: place.path, target, flags, output: this.output });
      return;
    }
    const folder = await hosts.openFolder();
    try {
      const run = await folder.prepare(place.host);
      const letters = [...copyLetters(flags), ...(flags.batch === undefined ? [] : ["-b", flags.batch])];
      const words = [hasPath ? placeWord(place) : place.host.shown, ...(target === undefined ? [] : [target])];
      process.exitCode = await exitCodeOf(await runOpenSsh(program, ["-F", run.config, ...letters, "--", ...words]), run);
    } finally {
      await folder.remove();
    }
  }
}
