import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientHome } from "@gatehouse/core/client";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { tshPath } from "../support/world.ts";
import { benchKeychain } from "./agent-keychain.ts";
import { benchSignatures } from "./agent-signatures.ts";
import { startAgent, withAgent } from "./local-agent.ts";
import { residentMemory, stop } from "./processes.ts";
import { homeWithLogin, proxy, time } from "./start-up.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const rounds = 31;
/** After so much quiet, ms, V8 has given back what starting took. */
const quiet = 30_000;

/** `tsh kube credentials` with an agent that holds the login, against `node -e 0`, in turn; the same with a keychain; the agent's memory at rest; and signatures through its socket. */
export async function benchAgent(print: (text: string) => void): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const env = await withAgent(await homeWithLogin(folder), join(folder, "runtime"));
    const agent = await startAgent(env);
    cleanups.push(() => stop(agent));
    const credentials = [tshPath, "kube", "credentials", `--proxy=${proxy}`, "--cluster=example"];
    const floor: number[] = [];
    const asked: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const [a, b] = [time(["-e", "0"], env), time(credentials, env)];
      if (round < 0) continue;
      floor.push(a);
      asked.push(b);
    }
    const memory = (): number => residentMemory(agent.pid ?? 0) / 2 ** 20;
    const [busy, atRest] = [memory(), new Promise((resolve) => setTimeout(resolve, quiet))];
    print(table(["agent", "ms"], [["node -e 0", median(floor).toFixed(1)], ["tsh kube credentials, with an agent", median(asked).toFixed(1)]]));
    await benchKeychain(print);
    await atRest;
    const idle = memory();
    const signatures = await benchSignatures(agentPlace(env, clientHome(env)).ssh, print);
    print(table(["resident memory of the agent", "MiB"], [["after kube credentials", busy.toFixed(1)], [`after ${String(quiet / 1000)} s of quiet`, idle.toFixed(1)], ["after the signatures", memory().toFixed(1)]]));
    return [verdict("tsh kube credentials, with an agent", median(asked) / median(floor), "≤", 1.4, "× node -e 0"), verdict("resident memory of the agent at rest", idle, "≤", 60, "MiB"), ...signatures];
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
