import { maxTyped, type AdminClient } from "../../api/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";

/** Ctrl-]: typed by a participant, it leaves the session and does not reach it. */
export const leaveKey = 0x1d;

/** What may wait to be typed: more is only pasted, and a session that does not take it has to be asked first. */
const maxWaiting = 1024 * 1024;

/** Types into a joined session. */
export interface SessionKeyboard {
  /** Takes what was typed; false where it had the key that leaves. What came before that is still typed. */
  type(bytes: Uint8Array): boolean;
  /** Resolves when nothing is on its way to the session any more. */
  settled(): Promise<void>;
}

/** Opens the keyboard of the participation `key`. `failed` is told once why nothing more can be typed. */
export function sessionKeyboard(admin: Pick<AdminClient, "typeInto">, sid: string, key: string, failed: (error: Error) => void): SessionKeyboard {
  let waiting = Buffer.alloc(0);
  let seq = 0;
  let sending: Promise<void> | undefined;
  let over = false;

  /** Once more where the connection broke: what comes a second time is taken once. */
  async function send(bytes: Buffer): Promise<void> {
    seq += 1;
    const input = { seq, data: bytes.toString("base64") };
    try {
      await admin.typeInto(sid, key, input);
    } catch (error) {
      if (!(error instanceof GatehouseError) || error.code !== "unavailable") throw error;
      await admin.typeInto(sid, key, input);
    }
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const piece = waiting.subarray(0, maxTyped);
      waiting = waiting.subarray(piece.length);
      await send(piece);
    }
  }

  function start(): void {
    sending ??= drain()
      .catch((error: unknown) => {
        over = true;
        failed(error instanceof Error ? error : new GatehouseError("internal", errorMessage(error)));
      })
      .finally(() => {
        sending = undefined;
      });
  }

  return {
    type(bytes) {
      const leaves = bytes.indexOf(leaveKey);
      const typed = leaves < 0 ? bytes : bytes.subarray(0, leaves);
      if (!over && waiting.length + typed.length <= maxWaiting) waiting = Buffer.concat([waiting, typed]);
      if (!over) start();
      return leaves < 0;
    },
    async settled() {
      await sending;
    },
  };
}
