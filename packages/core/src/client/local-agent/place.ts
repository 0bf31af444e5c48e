import { lstatSync, statSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { GatehouseError, systemErrorCode } from "../../base/index.ts";
import { ensurePrivateDirectory } from "../lean/files.ts";
import type { ClientHome, Environment } from "../lean/home.ts";

/** Where the agent of one home is. */
export interface AgentPlace {
  /** Mode 0700, its owner's. */
  readonly directory: string;
  /** Socket that commands speak to; on Windows the name of a pipe. */
  readonly control: string;
  /** Socket for ssh (`SSH_AUTH_SOCK`); on Windows the name of a pipe. */
  readonly ssh: string;
  /** On Windows, where nobody sees whose a pipe is: a file of this person's alone, by which agent and commands know each other. */
  readonly secret: string | undefined;
  /** Held by the process that starts, replaces or stops it. */
  readonly lock: string;
  /** What it says of itself; never a secret. */
  readonly log: string;
}

/** Whether the environment turns the agent off: it is neither started nor asked (`TSH_AGENT=off`). */
export const agentIsOff = (env: Environment): boolean => env["TSH_AGENT"] === "off";

/**
 * Eight characters that tell one person's homes apart: FNV-1a of the path, 32 bits. What is nobody else's is seen by who owns the directory; a hash that
 * nobody could make collide would cost kubectl the loading of a library.
 */
function mark(home: ClientHome): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(home.path)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** `$XDG_RUNTIME_DIR` where it is this user's: `su` and `sudo -E` leave that of somebody else in the environment, and a login that ended takes its own away. */
function runtimeDirectory(env: Environment): string | undefined {
  const path = env["XDG_RUNTIME_DIR"];
  if (process.platform === "win32" || path === undefined || !path.startsWith("/")) return undefined;
  const info = statSync(path, { throwIfNoEntry: false });
  return info?.isDirectory() === true && info.uid === process.geteuid?.() ? path : undefined;
}

/** Bytes that the path of a socket may have: Linux takes 107, macOS 103. */
const maxPath = 103;

/** A directory whose sockets have a path that the system takes; one in /tmp where that of a long home has not. */
function shortEnough(directory: string, home: ClientHome): string {
  if (process.platform === "win32" || Buffer.byteLength(join(directory, "agent.sock")) <= maxPath) return directory;
  return join("/tmp", `gatehouse-${process.geteuid?.() ?? "user"}-${mark(home)}`);
}

/**
 * The place of a home's agent: `gatehouse-MARK` in `$XDG_RUNTIME_DIR`, or `run` in the home where there is no such directory that is this user's, or one in
 * /tmp where either is too long for a socket. Each home has an agent of its own.
 */
export function agentPlace(env: Environment, home: ClientHome): AgentPlace {
  const runtime = runtimeDirectory(env);
  const directory = shortEnough(runtime === undefined ? join(home.path, "run") : join(runtime, `gatehouse-${mark(home)}`), home);
  const socket = (name: string): string => (process.platform === "win32" ? `\\\\.\\pipe\\gatehouse-${mark(home)}-${name}` : join(directory, `${name}.sock`));
  return { directory, control: socket("agent"), ssh: socket("ssh"), secret: process.platform === "win32" ? join(directory, "pipe.secret") : undefined, lock: join(directory, "agent.lock"), log: join(directory, "agent.log") };
}

/** Why a path that should be this person's alone is not. */
export class AgentPlaceRefused extends GatehouseError {
  readonly path: string;
  /** Follows the path: `is a link`. */
  readonly why: string;

  /** `remedy`: what to do about it, in place of a look at it. */
  constructor(path: string, why: string, remedy?: string) {
    super("access_denied", `the local agent is not used: ${path} ${why}`, { hint: remedy ?? `look at it, and remove it if it is nobody's: ls -ld ${path}` });
    this.path = path;
    this.why = why;
  }
}

let told = false;

/** Whether this process has not yet said that the place is refused: a command meets it more than once, and says it once. */
export function isFirstRefusal(): boolean {
  const first = !told;
  told = true;
  return first;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw new AgentPlaceRefused(path, `cannot be looked at (${systemErrorCode(error) ?? "unknown"})`);
  }
}

function checkOne(path: string, kind: "directory" | "socket"): boolean {
  const info = look(path);
  if (!info) return false;
  if (info.isSymbolicLink()) throw new AgentPlaceRefused(path, "is a link");
  if (kind === "directory" ? !info.isDirectory() : !info.isSocket()) throw new AgentPlaceRefused(path, `is no ${kind}`);
  const own = process.geteuid?.();
  if (own !== undefined && info.uid !== own) throw new AgentPlaceRefused(path, `belongs to another user (uid ${info.uid})`);
  if ((info.mode & 0o077) !== 0) throw new AgentPlaceRefused(path, `is open to others (mode ${(info.mode & 0o777).toString(8)})`, `chmod go-rwx ${path}`);
  return true;
}

/**
 * Whether there is a socket at `path` in a directory, both this user's alone and of the right type. Throws {@link AgentPlaceRefused} where they are not.
 * On Windows names of pipes are not looked at here.
 */
export function checkAgentSocket(directory: string, path: string): Promise<boolean> {
  return new Promise((resolve) => resolve(process.platform === "win32" || (checkOne(directory, "directory") && checkOne(path, "socket"))));
}

/** Whether the directory is there and this user's alone. Throws {@link AgentPlaceRefused} where it is there and is not. */
export function checkAgentDirectory(directory: string): Promise<boolean> {
  return new Promise((resolve) => resolve(process.platform === "win32" || checkOne(directory, "directory")));
}

/** Makes the directory where it is not there. Throws {@link AgentPlaceRefused} where it is, and is not this user's alone, or where others could put one in its place. */
export async function makeAgentDirectory(directory: string): Promise<void> {
  if (await checkAgentDirectory(directory)) return;
  try {
    await ensurePrivateDirectory(directory);
  } catch (error) {
    throw new AgentPlaceRefused(directory, `cannot be made (${systemErrorCode(error) ?? "unknown"})`, "set XDG_RUNTIME_DIR to a directory that is yours");
  }
  const parent = dirname(directory);
  const { mode } = lstatSync(parent);
  if (process.platform !== "win32" && (mode & 0o022) !== 0 && (mode & 0o1000) === 0) throw new AgentPlaceRefused(parent, `can be written by others (mode ${(mode & 0o777).toString(8)})`, `chmod go-w ${parent}`);
  await checkAgentDirectory(directory);
}
