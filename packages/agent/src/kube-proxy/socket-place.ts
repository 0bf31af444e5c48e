import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";
import { withLock } from "@gatehouse/core/client/lean";

function refused(path: string, why: string): GatehouseError {
  return new GatehouseError("access_denied", `will not listen on a socket at ${path}: ${why}`, { hint: "choose a path in a folder of mode 0700 that is yours alone" });
}

/** Whether somebody listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function checkFolder(path: string, folder: string): Promise<void> {
  const info = await lstat(folder);
  const why = !info.isDirectory()
    ? "is no folder"
    : info.uid !== process.geteuid?.()
      ? `belongs to another user (uid ${info.uid})`
      : (info.mode & 0o077) !== 0
        ? `is open to others (mode ${(info.mode & 0o777).toString(8)})`
        : undefined;
  if (why !== undefined) throw refused(path, `${folder} ${why}`);
}

/** ms to wait for another process that begins to listen there. */
const lockWait = 5000;

/** Removes a socket that nobody listens on any more. */
async function makeRoom(path: string): Promise<void> {
  const present = await lstat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw refused(path, systemErrorCode(error) ?? String(error));
  });
  if (present === undefined) return;
  if (!present.isSocket() || present.uid !== process.geteuid?.()) throw refused(path, "something else stands there");
  if (await answers(path)) throw new GatehouseError("already_exists", `something listens on ${path} already`, { hint: "end it first, or choose another path" });
  await rm(path, { force: true });
}

/**
 * Makes room for a socket and listens there: its folder is made where there is none, and has to be this person's alone; a socket that nobody listens on any more is removed, by one
 * process at a time. Throws `access_denied` for a folder that others can enter and for what is no socket of one's own, `already_exists` where somebody listens, and what `listen` does.
 */
export async function listenInPlace(path: string, listen: () => Promise<void>): Promise<void> {
  if (process.platform === "win32") throw new GatehouseError("not_implemented", "--listen-unix: there are no such sockets on Windows", { hint: "leave it out: the proxy then listens on a port" });
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw refused(path, `its folder cannot be made (${systemErrorCode(error) ?? String(error)})`);
  });
  await checkFolder(path, folder);
  await withLock(`${path}.lock`, { wait: lockWait, purpose: `listen on ${path}` }, async () => {
    await makeRoom(path);
    await listen();
    await chmod(path, 0o600);
  });
}
