import { randomUUID } from "node:crypto";
import { Args, Flags } from "@oclif/core";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { openSession } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { describeSession, findSession, ownTerminal, sessionKeyboard, watchSession } from "@gatehouse/core/client/recordings";
import { restoreTerminal } from "@gatehouse/core/client/terminal";
import { loginFlags } from "../command.ts";

/** `tsh join` */
export class Join extends BaseCommand {
  static override summary = "Take part in a session under way";
  static override description = `Shows what the session prints, from its beginning and on. With --mode=peer its keyboard is yours as well; its person, and everybody else who takes part, read that you joined and that you left, and so do the recording and the audit log. Ctrl-] leaves it; as an observer Ctrl-C does, too.

Watching needs a role whose rules allow read on session, sharing the keyboard one that allows connect.`;
  static override examples = ["<%= config.bin %> join 6f0e2a1c", "<%= config.bin %> join 6f0e2a1c --mode=peer"];
  static override args = { id: Args.string({ ignoreStdin: true, required: true, description: "the session's id, or its beginning" }) };
  static override flags = {
    ...loginFlags,
    mode: Flags.string({ summary: "Watch it, or type as well", options: ["observer", "peer"], default: "observer" }),
    "from-now": Flags.boolean({ summary: "Leave out what it has printed so far" }),
  };

  /** Shows it, and types, until it ends or its key is pressed. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Join);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const session = await findSession(admin, args.id);
    const mode = flags.mode === "peer" ? "peer" : "observer";
    const { stdin } = process;
    if (mode === "peer" && !stdin.isTTY) throw new GatehouseError("usage", "--mode=peer needs a terminal to type on", { hint: "watch it: --mode=observer" });
    const key = randomUUID();
    const stream = await admin.joinSession(session.sid, { mode, key });
    this.#say(`joined ${session.user}: ${describeSession(session)} (Ctrl-] leaves${mode === "peer" ? "" : ", what you type goes nowhere"})`);
    const part: { left: boolean; failure?: Error } = { left: false };
    const leave = (): void => {
      part.left = true;
      stream.close();
    };
    const keyboard = sessionKeyboard(admin, session.sid, key, (error) => {
      part.failure = error;
      leave();
    });
    const typed = (bytes: Buffer): void => {
      if (mode === "peer" ? !keyboard.type(bytes) : bytes.includes(0x1d) || bytes.includes(0x03)) leave();
    };
    // Without one it is stopped by a signal.
    const raw = stdin.isTTY;
    if (raw) {
      stdin.setRawMode(true);
      stdin.on("data", typed);
    }
    const onExit = (): void => {
      if (raw) stdin.setRawMode(false);
      if (this.output.stdout.isTTY === true) this.output.stdout.write(restoreTerminal);
    };
    process.once("exit", onExit);
    let reason: string | undefined;
    try {
      reason = await watchSession(stream.body, { from: flags["from-now"] ? (session.recording ?? 0) : 0, tty: session.tty, output: this.output, terminal: ownTerminal });
      await keyboard.settled();
    } catch (error) {
      if (!part.left) throw error;
    } finally {
      process.off("exit", onExit);
      stream.close();
      if (raw) {
        stdin.off("data", typed);
        stdin.setRawMode(false);
        stdin.pause();
      }
    }
    if (part.failure !== undefined) throw part.failure;
    this.#say(part.left ? "you left the session; it goes on" : (reason ?? "the gateway ended your part in it"));
  }

  #say(text: string): void {
    this.output.stderr.write(`${this.output.style.dim(escapeLine(text))}\n`);
  }
}
