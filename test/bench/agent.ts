import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tshPath } from "../support/world.ts";
import { residentMemory, stop } from "./processes.ts";
import { homeWithLogin, proxy, time } from "./start-up.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const rounds = 31;

/** `tsh kube credentials` with an agent that holds the login, against `node -e 0`, in turn; and the agent's memory after that. */
export async function benchAgent(print: (text: string) => void): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const runtime = join(folder, "runtime");
  await mkdir(runtime, { mode: 0o700 });
  const env = { ...(await homeWithLogin(folder)), XDG_RUNTIME_DIR: runtime, TSH_AGENT: "" };
  const agent = spawn(process.execPath, [tshPath, "agent", "run"], { env, stdio: ["ignore", "ignore", "pipe"] });
  try {
    await once(agent.stderr, "data");
    const credentials = [tshPath, "kube", "credentials", `--proxy=${proxy}`, "--cluster=example"];
    const floor: number[] = [];
    const asked: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const [a, b] = [time(["-e", "0"], env), time(credentials, env)];
      if (round < 0) continue;
      floor.push(a);
      asked.push(b);
    }
    const memory = residentMemory(agent.pid ?? 0) / 2 ** 20;
    print(table(["agent", "ms"], [["node -e 0", median(floor).toFixed(1)], ["tsh kube credentials, with an agent", median(asked).toFixed(1)]]));
    return [verdict("tsh kube credentials, with an agent", median(asked) / median(floor), "≤", 1.4, "× node -e 0"), verdict("resident memory of the agent", memory, "≤", 60, "MiB")];
  } finally {
    await stop(agent);
    await rm(folder, { recursive: true, force: true });
  }
}
