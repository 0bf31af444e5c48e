import { Args, Flags } from "@oclif/core";
import { escapeLine } from "@gatehouse/core/base";
import { describeSession, findSession } from "@gatehouse/core/client/recordings";
import { TctlCommand, connectFlags } from "../../command.ts";

/** `tctl sessions kill` */
export class SessionsKill extends TctlCommand {
  static override summary = "End a session";
  static override description = "Its person reads in their terminal who ended it, and the message. To keep them out as well: tctl lock.";
  static override examples = ['<%= config.bin %> sessions kill 6f0e2a1c --message="please use the staging cluster"'];
  static override args = { id: Args.string({ ignoreStdin: true, required: true, description: "the session's id, or its beginning" }) };
  static override flags = { ...connectFlags, message: Flags.string({ summary: "What its person reads", helpValue: "<text>" }) };

  /** Ends it and says so. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(SessionsKill);
    const admin = await this.connect(flags);
    const session = await findSession(admin, args.id);
    await admin.killSession(session.sid, flags.message);
    this.done(escapeLine(`session ${session.sid.slice(0, 8)} of ${session.user} ended (${describeSession(session)})`));
  }
}
