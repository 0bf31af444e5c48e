import { Flags } from "@oclif/core";
import { GatehouseError } from "@gatehouse/core/base";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { choosePlaces, copyFlags, copyLetters, hostsOf, placeWord } from "../ssh/copies.ts";
import { openHostSession } from "../ssh/hosts.ts";
import { exitCodeOf, findProgram, runOpenSsh } from "../ssh/openssh.ts";

/** `tsh scp` */
export class Scp extends AgentCommand {
  static override summary = "Copy files to and from hosts";
  static override description = "A place on a host is [login@]host:path; a path that does not begin with a slash is in the account's home. The last place is where the others are copied to.";
  static override usage = "scp [FLAGS] SOURCE... TARGET";
  static override examples = ["<%= config.bin %> scp build.tar.gz deploy@web-1:/srv/", "<%= config.bin %> scp -r web-1:/var/log/nginx ."];
  static override strict = false;
  static override flags = {
    ...loginFlags,
    ...copyFlags,
    legacy: Flags.boolean({ char: "O", summary: "The older scp protocol, for hosts without SFTP" }),
  };

  /** Copies. */
  async run(): Promise<void> {
    const { flags, argv } = await this.parse(Scp);
    this.wakeAgent(flags.identity);
    const words = argv as readonly string[];
    if (words.length < 2) throw new GatehouseError("usage", "tsh scp needs what to copy, and where to", { hint: "tsh scp FILE [login@]host:path" });
    const hosts = await openHostSession(flags);
    const places = await choosePlaces(words, hosts, flags.port);
    const involved = hostsOf(places);
    if (involved.length === 0) throw new GatehouseError("usage", "none of these places is on a host", { hint: "write one as [login@]host:path" });
    const program = flags.openssh ? await findProgram("scp") : undefined;
    if (program === undefined) {
      const { copyWithoutOpenSsh } = await import("../ssh/copy-without-openssh.ts");
      process.exitCode = await copyWithoutOpenSsh({ hosts, places, flags, output: this.output });
      return;
    }
    const folder = await hosts.openFolder();
    try {
      const run = await folder.prepare(...involved);
      // Between two hosts the bytes come through here: neither may log in to the other.
      const letters = [...copyLetters(flags), ...(flags.legacy ? ["-O"] : []), ...(involved.length > 1 ? ["-3"] : [])];
      process.exitCode = await exitCodeOf(await runOpenSsh(program, ["-F", run.config, ...letters, "--", ...places.map(placeWord)]), run);
    } finally {
      await folder.remove();
    }
  }
}
