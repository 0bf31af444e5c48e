import type { IncomingMessage } from "node:http";
import { GatehouseError } from "../base/index.ts";

/**
 * The body of an answer as it comes. `idle`: ms that may pass without a byte, while one is waited for; time that whoever reads takes does not
 * count. Throws `unavailable` then, else what the stream throws.
 */
export async function* answerPieces(response: IncomingMessage, gateway: string, idle: number | undefined): AsyncGenerator<Uint8Array, void, void> {
  let silent: GatehouseError | undefined;
  const pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer =
        idle === undefined
          ? undefined
          : setTimeout(() => {
              silent = new GatehouseError("unavailable", `the gateway ${gateway} sent nothing for ${idle / 1000} s`, { hint: "try again; if it stays so, tell the gateway's operator" });
              response.destroy();
            }, idle);
      const step = await pieces.next().finally(() => clearTimeout(timer));
      if (step.done === true) return;
      yield step.value;
    }
  } catch (error) {
    throw silent ?? error;
  } finally {
    response.destroy();
  }
}
