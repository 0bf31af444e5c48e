import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientHome, describeProcess } from "@gatehouse/core/client/lean";
import { agentPlace, type AgentPlace } from "@gatehouse/core/client/local-agent";
import { stopAgent } from "./index.ts";

let folder: string;
let place: AgentPlace;
let silent: Server;
let child: ChildProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-stop-"));
  await chmod(folder, 0o700);
  place = { ...agentPlace({}, clientHome({ HOME: folder })), directory: folder, control: join(folder, "agent.sock") };
  silent = createServer(() => undefined).listen(place.control);
  await once(silent, "listening");
  await chmod(place.control, 0o600);
  child = spawn(process.execPath, ["-e", 'process.on("SIGTERM", () => console.log("asked")); console.log("up"); setInterval(() => {}, 1000)'], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout) await once(child.stdout, "data");
});
afterEach(async () => {
  child.kill("SIGKILL");
  silent.close();
  await rm(folder, { recursive: true, force: true });
});

const record = (text: string): Promise<void> => writeFile(join(folder, "agent.pid"), text, { mode: 0o600 });
const stop = (): Promise<string> => stopAgent(place, { force: false, times: { answer: 50, end: 300 } });
const pid = (): number => child.pid ?? expect.unreachable();

describe.runIf(process.platform === "linux")("an agent that does not answer", () => {
  it("is ended by its process, with SIGKILL where SIGTERM is not enough", async () => {
    await record(await describeProcess(pid()));
    const [ended, how] = await Promise.all([once(child, "exit"), stop()]);
    expect([ended, how]).toEqual([[null, "SIGKILL"], "forced"]);
  });

  it("is left to the person where it is not certain which process it is", async () => {
    const said = { code: "internal", message: "the local agent did not answer within 0.05 s", hint: expect.stringContaining("ps -C 'tsh agent'") as string };
    await expect(stop()).rejects.toMatchObject(said);
    // A later process with the number of one that has ended, one of another machine, one that is not said to have begun, nonsense.
    const number = String(pid());
    for (const text of [`gatehouse ${number} ${hostname()} 1\n`, (await describeProcess(pid())).replace(hostname(), "elsewhere.example"), `gatehouse ${number} ${hostname()} -\n`, number, "x".repeat(900)]) {
      await record(text);
      await expect(stop()).rejects.toMatchObject(said);
    }
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  });
});
