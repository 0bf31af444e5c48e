import { readFile } from "node:fs/promises";
import { GatehouseError, errorMessage, fileProblem } from "../../base/index.ts";
import type { Logger } from "../../base/index.ts";
import type { TokenSource } from "./types.ts";

/** How often a token is read anew, ms. Kubelets rotate service account tokens when four fifths of their hour are over. */
const readInterval = 60_000;
/** Least time between reads that 401s ask for, ms. */
const refreshInterval = 1000;
const tokenSize = 64 * 1024;

/** A token that never changes. */
export function fixedToken(token: string): TokenSource {
  return { current: () => token, refresh: () => undefined, close: () => undefined };
}

/**
 * A token that `read` gives, read now, every minute, and when asked. A read that fails is logged and leaves the token as it is. Throws what
 * the first read throws.
 */
export async function rotatingToken(cluster: string, read: () => Promise<string>, logger: Logger): Promise<TokenSource> {
  let token = await read();
  let last = performance.now();
  let reading = false;
  const again = async (): Promise<void> => {
    reading = true;
    last = performance.now();
    try {
      token = await read();
    } catch (error) {
      logger.error({ cluster, error: errorMessage(error) }, "the credentials for the Kubernetes cluster could not be read anew");
    } finally {
      reading = false;
    }
  };
  const refresh = (): void => {
    // `again` handles its own errors.
    if (!reading) again().catch(() => undefined);
  };
  const timer = setInterval(refresh, readInterval).unref();
  return {
    current: () => token,
    refresh: () => {
      if (performance.now() - last >= refreshInterval) refresh();
    },
    close: () => clearInterval(timer),
  };
}

/** Reads a token file. Throws `unavailable` where it cannot be read and `bad_parameter` where what is in it is no token. */
export async function readTokenFile(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new GatehouseError("unavailable", `the token file ${file} ${fileProblem(error)}`, { cause: error });
  });
  const token = text.trim();
  if (token === "" || text.length > tokenSize || !/^[!-~]+$/.test(token)) throw new GatehouseError("bad_parameter", `the token file ${file} does not hold a token`);
  return token;
}
