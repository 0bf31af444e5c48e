import { stat } from "node:fs/promises";
import { connect } from "node:net";

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

/** Which of two agents stays or becomes the one behind the agent at `own`: the one that is there already, unless it is gone or is that agent itself. */
export async function chooseUpstream(own: string, current: string | undefined, offered: string | undefined): Promise<string | undefined> {
  for (const path of [current, offered]) {
    if (path !== undefined && path !== "" && !(await isSame(path, own)) && (await answers(path))) return path;
  }
  return undefined;
}
