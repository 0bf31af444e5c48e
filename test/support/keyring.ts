import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { run } from "./process.ts";

/** A session bus of its own, and a keyring on it. */
export interface KeyringSession {
  /** What a command needs of the environment to reach it. */
  readonly env: { readonly DBUS_SESSION_BUS_ADDRESS: string };
  readonly keyring: ChildProcess;
}

/** Sessions that end together. */
export interface KeyringSessions {
  /** `password` unlocks the keyring; undefined leaves it as it is. `env` is that of the person whose keyring it is. */
  start(password: string | undefined, env: (address: KeyringSession["env"]) => Promise<NodeJS.ProcessEnv>): Promise<KeyringSession>;
  close(): Promise<void>;
}

const nameHasOwner = ["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"];
const hasSecrets = async (env: NodeJS.ProcessEnv): Promise<boolean> => (await run("dbus-send", nameHasOwner, { env })).stdout.includes("boolean true");

/** Starts buses and keyrings for tests. */
export function keyringSessions(): KeyringSessions {
  const children: ChildProcess[] = [];
  return {
    async start(password, env) {
      const bus = spawn("dbus-daemon", ["--session", "--nofork", "--print-address=1"], { stdio: ["ignore", "pipe", "ignore"] });
      children.push(bus);
      const [line] = (await once(bus.stdout, "data")) as [Buffer];
      const address = { DBUS_SESSION_BUS_ADDRESS: line.toString().trim() };
      // With a runtime directory it would not say when it is there.
      const own = { ...(await env(address)), XDG_RUNTIME_DIR: undefined };
      const keyring = spawn("gnome-keyring-daemon", ["--foreground", "--components=secrets", ...(password === undefined ? [] : ["--unlock"])], { env: own, stdio: ["pipe", "pipe", "ignore"] });
      children.push(keyring);
      keyring.stdin.end(password);
      await once(keyring.stdout, "data");
      // It says that before it has its name on the bus.
      while (!(await hasSecrets({ ...address, PATH: process.env["PATH"] }))) {
        if (keyring.exitCode !== null) throw new Error(`gnome-keyring-daemon ended with ${String(keyring.exitCode)}`);
      }
      return { env: address, keyring };
    },
    async close() {
      for (const child of children.splice(0).reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGCONT");
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    },
  };
}
