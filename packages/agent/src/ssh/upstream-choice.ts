import { lstat, realpath, stat } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { systemErrorCode } from "@gatehouse/core/base";

/** Whether only this person, and the superuser, could have put what is at a path there, or can put another in its place. */
async function isOwn(real: string): Promise<boolean> {
  const own = process.geteuid?.();
  const [socket, folder] = await Promise.all([lstat(real), lstat(dirname(real))]);
  if (own === undefined) return true;
  return socket.isSocket() && [socket, folder].every(({ uid }) => uid === own || uid === 0) && ((folder.mode & 0o022) === 0 || (folder.mode & 0o1000) !== 0);
}

/**
 * What a socket's path leads to, without links; undefined where nothing is, or what somebody else may have put there: keys of `ssh-add` go to the agent behind. A path that was this person's
 * may be another's once its socket is gone (`/tmp/ssh-…` of a login that has ended).
 */
export async function ownSocket(path: string): Promise<string | undefined> {
  if (process.platform === "win32") return path;
  try {
    const real = await realpath(path);
    return (await isOwn(real)) ? real : undefined;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Whether somebody listens at the path. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  const found = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return found;
}

/** Whether two paths lead to one file. */
async function isSame(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

/** Which of two agents stays or becomes the one behind the agent at `own`: the one that is there already, unless it is gone, is that agent itself, or is not this person's. */
export async function chooseUpstream(own: string, current: string | undefined, offered: string | undefined): Promise<string | undefined> {
  for (const path of [current, offered]) {
    if (path === undefined || path === "" || (await isSame(path, own))) continue;
    const real = await ownSocket(path);
    if (real !== undefined && (await answers(real))) return path;
  }
  return undefined;
}
