import { Args, Flags } from "@oclif/core";
import { escapeLine } from "@gatehouse/core/base";
import { describeSession, findSession, ownTerminal, watchSession } from "@gatehouse/core/client/recordings";
import { restoreTerminal } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";

/** `tctl sessions watch` */
export class SessionsWatch extends TctlCommand {
  static override summary = "Watch a session as it happens";
  static override description =
    "Shows what the session prints, from its beginning and on; nothing that you type reaches it. What could harm your terminal (clipboard, titles, queries that it would answer) is left out. Watching is audited. Ctrl-C stops it, and not the session.";
  static override examples = ["<%= config.bin %> sessions watch 6f0e2a1c", "<%= config.bin %> sessions watch 6f0e2a1c --from-now"];
  static override args = { id: Args.string({ ignoreStdin: true, required: true, description: "the session's id, or its beginning" }) };
  static override flags = { ...connectFlags, "from-now": Flags.boolean({ summary: "Leave out what it has printed so far" }) };

  /** Prints until the session ends. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(SessionsWatch);
    const admin = await this.connect(flags);
    const session = await findSession(admin, args.id);
    this.output.stderr.write(`${this.output.style.dim(escapeLine(`watching ${session.user}: ${describeSession(session)} (Ctrl-C stops watching)`))}\n`);
    const stream = await admin.watchSession(session.sid);
    const interrupted = (): void => {
      stream.close();
      if (this.output.stdout.isTTY === true) this.output.stdout.write(restoreTerminal);
    };
    process.prependOnceListener("SIGINT", interrupted);
    try {
      const reason = await watchSession(stream.body, { from: flags["from-now"] ? (session.recording ?? 0) : 0, tty: session.tty, output: this.output, terminal: ownTerminal });
      this.output.stderr.write(`${this.output.style.dim(escapeLine(reason ?? "the gateway stopped the view"))}\n`);
    } finally {
      process.off("SIGINT", interrupted);
      stream.close();
    }
  }
}
