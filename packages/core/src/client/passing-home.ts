import { rmSync } from "node:fs";
import { access, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HeadlessLogin } from "./headless.ts";
import type { KubeUpdate } from "./kubeconfig/index.ts";
import { clientHome, isRunning, profileName, parseProxyAddress, type Environment } from "./lean/index.ts";
import { storeLogin, writeKubeEntries, type StoredLogin } from "./store-login.ts";

const prefix = "gatehouse-headless-";

/** A login that one command and its children see, and that is gone with it. */
export interface PassingHome {
  /** What the command's environment has to say. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined where the gateway has no Kubernetes. */
  readonly kube: KubeUpdate | undefined;
  remove(): Promise<void>;
}

/** Folders for what shall not outlive the machine's memory, where there is one; else the ordinary one for temporary files. */
async function base(env: Environment): Promise<string> {
  for (const folder of [env["XDG_RUNTIME_DIR"], process.platform === "linux" ? "/dev/shm" : undefined]) {
    if (folder !== undefined && folder.startsWith("/") && (await access(folder, 2).then(() => true, () => false))) return folder;
  }
  return tmpdir();
}

/** Removes what commands that were killed have left. */
async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = Number(new RegExp(`^${prefix}(\\d{1,10})-`).exec(name)?.[1] ?? 0);
    if (pid === 0 || isRunning(pid)) continue;
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info?.isDirectory() === true && info.uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Puts a login where one command finds it, and nobody else: a folder that its owner alone can read, in memory where the system has such a place, with a home of its own and a
 * kubeconfig that holds key and certificate.
 */
export async function openPassingHome(login: HeadlessLogin, env: Environment, program: StoredLogin["program"], tools: { readonly now: number; readonly notice: (text: string) => void }): Promise<PassingHome> {
  const { record, account, trust } = login;
  const place = await base(env);
  await sweep(place);
  // Of mode 0700 (mkdtemp(3)).
  const folder = await mkdtemp(join(place, `${prefix}${process.pid}-`));
  const onExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", onExit);
  const remove = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    process.removeListener("exit", onExit);
  };
  try {
    const own = { TELEPORT_HOME: join(folder, "tsh"), KUBECONFIG: join(folder, "kubeconfig"), TELEPORT_PROXY: record.proxy, TSH_IDENTITY_FILE: "" };
    const inside = { ...env, ...own };
    const home = clientHome(inside);
    await storeLogin({ home, name: profileName(parseProxyAddress(record.proxy)), env: inside, record, account, authType: "headless", keystore: "file", trust, program, ...tools });
    return { env: own, kube: await writeKubeEntries({ home, env: inside, record, account, embed: true }), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
