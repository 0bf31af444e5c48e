import type { Dispatcher } from "undici";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import type { Upstream } from "./upstream.ts";

const checkTime = 10_000;
const answerSize = 256 * 1024;

/** How {@link askUpstream} asks. */
export interface AskOptions {
  readonly body?: Buffer | undefined;
  /** Raw header pairs, such as whom it is for; none: the gateway itself. */
  readonly headers?: readonly string[] | undefined;
  /** For the whole answer, ms; 10 s by default. */
  readonly timeout?: number | undefined;
  /** Bytes of the answer; 256 KiB by default. */
  readonly size?: number | undefined;
}

/** One request to the API server that is the gateway's own, answer read whole. Throws `unavailable` where none comes in time, or nothing can be sent. */
export function askUpstream(upstream: Pick<Upstream, "dispatch">, method: "GET" | "POST", path: string, options: AskOptions = {}): Promise<{ readonly status: number; readonly text: string }> {
  const { body, timeout = checkTime, size: maxSize = answerSize } = options;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let controller: Dispatcher.DispatchController | undefined;
    const timer = setTimeout(() => {
      controller?.abort(new Error("aborted"));
      reject(new GatehouseError("unavailable", `the API server did not answer within ${String(timeout / 1000)} s`));
    }, timeout);
    const headers = [...(options.headers ?? []), ...(body === undefined ? [] : ["Content-Type", "application/json"]), "Accept", "application/json"];
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started;
      },
      onResponseStart(_controller, code) {
        status = code;
      },
      onResponseData(current, chunk) {
        size += chunk.length;
        if (size > maxSize) current.abort(new Error("the API server's answer is too large"));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        clearTimeout(timer);
        resolve({ status, text: Buffer.concat(chunks).toString("utf8") });
      },
      onResponseError(_controller, error) {
        clearTimeout(timer);
        reject(new GatehouseError("unavailable", `the API server cannot be reached: ${errorMessage(error)}`, { cause: error }));
      },
    };
    try {
      upstream.dispatch(false, method, path, headers, body ?? null, handler);
    } catch (error) {
      clearTimeout(timer);
      reject(error);
    }
  });
}

/** Undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
