import { join } from "node:path";
import { requireTool } from "@gatehouse/core/testing";
import { keyringSessions } from "../support/keyring.ts";
import { createClientWorld, newMachine } from "../support/machine.ts";
import type { Machine } from "../support/machine.ts";
import { tshPath } from "../support/world.ts";
import { startAgent, withAgent } from "./local-agent.ts";
import { stop } from "./processes.ts";
import { time } from "./start-up.ts";
import { median, table } from "./table.ts";

const rounds = 15;

/** What `tsh kube credentials` takes with a login in a real keychain, without an agent and with one, in turn. Required is nothing: most of it is the keychain's own time. */
export async function benchKeychain(print: (text: string) => void): Promise<void> {
  if (!requireTool("gnome-keyring-daemon", "apt-get install gnome-keyring dbus") || !requireTool("dbus-daemon", "apt-get install dbus")) return;
  const world = await createClientWorld(["example"]);
  const sessions = keyringSessions();
  const cleanups: (() => Promise<void>)[] = [() => world.close(), () => sessions.close()];
  try {
    let machine: Machine | undefined;
    await sessions.start("secret", async (address) => (machine = await newMachine(world, "ana", address)).env);
    if (machine === undefined) throw new Error("there is no keyring");
    const login = await machine.tsh(["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=keychain"]);
    if (login.code !== 0) throw new Error(`tsh login: ${login.stderr}`);
    const plain = machine.env;
    const asked = await withAgent(plain, join(world.folder, "runtime"));
    const agent = await startAgent(asked);
    cleanups.push(() => stop(agent));
    const credentials = [tshPath, "kube", "credentials", `--proxy=${world.proxy}`];
    const ways = [
      { name: "node -e 0", args: ["-e", "0"], env: plain, all: [] as number[] },
      { name: "tsh kube credentials", args: credentials, env: plain, all: [] as number[] },
      { name: "tsh kube credentials, with an agent", args: credentials, env: asked, all: [] as number[] },
    ];
    for (let round = -1; round < rounds; round++) {
      for (const { args, env, all } of ways) {
        const took = time(args, env);
        if (round >= 0) all.push(took);
      }
    }
    print(table(["a login in the keychain", "ms"], ways.map(({ name, all }) => [name, median(all).toFixed(1)])));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
