import { access } from "node:fs/promises";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { readFileLimited, type Environment } from "./lean/index.ts";

/** What tells where a command runs; gathered by {@link gatherFacts}, or made up by a test. */
export interface Facts {
  readonly platform: NodeJS.Platform;
  readonly env: Environment;
  /** `/proc/sys/kernel/osrelease`; empty elsewhere than on Linux. */
  readonly kernel: string;
  /** `/proc/1/cgroup`; empty where there is none. */
  readonly cgroup: string;
  /** Whether `/.dockerenv` or `/run/.containerenv` (podman) is there. */
  readonly containerFile: boolean;
  /** Windows' ways to open a link that can be run from here, absolute; for WSL. */
  readonly windowsPrograms: readonly string[];
  /** The account's name. */
  readonly user: string;
}

/** Where a command runs, as far as a browser for its person is concerned. */
export type Place =
  /** A browser that is started here is seen by whoever typed the command. */
  | { readonly kind: "desktop" }
  /** In another machine's terminal. `target` is what to give `ssh` to come here, where that is known; `port` where it is not 22. */
  | { readonly kind: "ssh"; readonly target: string | undefined; readonly port: number | undefined }
  /** Linux within Windows: commands that open a link in Windows' browser, the link to be put last. */
  | { readonly kind: "wsl"; readonly openers: readonly (readonly string[])[] }
  | { readonly kind: "container" }
  | { readonly kind: "no-display" };

const has = (env: Environment, name: string): boolean => (env[name] ?? "") !== "";

/** `SSH_CONNECTION` is `client-address client-port server-address server-port` (ssh(1)). */
function sshPlace({ env, user }: Facts): Place {
  const [, , address, port] = (env["SSH_CONNECTION"] ?? "").split(" ");
  const known = address !== undefined && /^[0-9A-Fa-f.:]{2,45}$/.test(address) && port !== undefined && /^\d{1,5}$/.test(port);
  const account = /^[A-Za-z0-9._@\\-]{1,64}$/.test(user) && !user.startsWith("-") ? user : undefined;
  if (!known || account === undefined) return { kind: "ssh", target: undefined, port: undefined };
  return { kind: "ssh", target: `${account}@${address}`, port: port === "22" ? undefined : Number(port) };
}

/** cgroup v1 names the runtime; v2 within a container shows nothing, and the other signs decide. */
const inContainer = ({ env, cgroup, containerFile }: Facts): boolean =>
  containerFile || has(env, "container") || has(env, "KUBERNETES_SERVICE_HOST") || /\/(?:docker|kubepods|containerd|lxc|libpod|crio)(?:[/.:-]|$)/m.test(cgroup);

function windowsOpeners(programs: readonly string[]): readonly (readonly string[])[] {
  return programs.map((program) => (program.endsWith("cmd.exe") ? [program, "/c", "start", ""] : [program]));
}

/** Where this is. A display that is forwarded (`ssh -X`, a toolbox container) shows a browser to the person, and counts as a desktop. */
export function placeOf(facts: Facts): Place {
  const { platform, env, kernel } = facts;
  const display = has(env, "DISPLAY") || has(env, "WAYLAND_DISPLAY");
  if ((has(env, "SSH_CONNECTION") || has(env, "SSH_TTY")) && !display) return sshPlace(facts);
  if (platform === "darwin" || platform === "win32") return { kind: "desktop" };
  const container = inContainer(facts);
  if (/microsoft/i.test(kernel) && !container) return { kind: "wsl", openers: windowsOpeners(facts.windowsPrograms) };
  if (display) return { kind: "desktop" };
  return container ? { kind: "container" } : { kind: "no-display" };
}

const factLimit = 64 * 1024;
const windowsNames = ["wslview", "explorer.exe", "cmd.exe"];
const windowsFolders = ["/mnt/c/Windows", "/mnt/c/Windows/System32"];

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);
const textOf = (path: string): Promise<string> => readFileLimited(path, { limit: factLimit }).then((text) => text ?? "", () => "");

/** The first of each name in `PATH`, or where Windows keeps it. */
async function findWindowsPrograms(env: Environment): Promise<readonly string[]> {
  const folders = [...(env["PATH"] ?? "").split(delimiter).filter((folder) => folder.startsWith("/")), ...windowsFolders].slice(0, 200);
  const found: string[] = [];
  for (const name of windowsNames) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (!(await exists(path))) continue;
      found.push(path);
      break;
    }
  }
  return found;
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // An id without an account: containers have it.
    return "";
  }
}

/** Looks around. Never throws: what cannot be read is no sign of anything. */
export async function gatherFacts(env: Environment): Promise<Facts> {
  const linux = process.platform === "linux";
  const kernel = linux ? await textOf("/proc/sys/kernel/osrelease") : "";
  return {
    platform: process.platform,
    env,
    kernel,
    cgroup: linux ? await textOf("/proc/1/cgroup") : "",
    containerFile: linux && ((await exists("/.dockerenv")) || (await exists("/run/.containerenv"))),
    windowsPrograms: /microsoft/i.test(kernel) ? await findWindowsPrograms(env) : [],
    user: accountName(),
  };
}
