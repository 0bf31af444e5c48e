import { readFile } from "node:fs/promises";

/**
 * Reads what `tctl nodes add` has a host run, as root: POSIX sh, with curl, openssl and ssh-keygen. It joins the host, is left there for the timer that renews, and takes the
 * host out again. Everything that it is given by the gateway comes over TLS of the pinned authority. Throws what reading a file throws.
 */
export function readHostScript(): Promise<string> {
  return readFile(new URL("./join.sh", import.meta.url), "utf8");
}
