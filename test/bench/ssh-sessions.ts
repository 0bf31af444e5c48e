import { generateKeyPairSync } from "node:crypto";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { systemClock } from "@gatehouse/core/base";
import { readIdentityFile } from "@gatehouse/core/client/lean";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import { connectHost } from "@gatehouse/core/client/ssh";
import { encodeSshMessage, parseSshMessage } from "@gatehouse/core/formats";
import { connectTransport } from "@gatehouse/core/ssh";
import type { Transport } from "@gatehouse/core/ssh";
import { stringify } from "yaml";
import { z } from "zod";
import { hostLogin } from "../support/ssh-hosts.ts";
import { cores, cpuTime, residentMemory, startProgram, stop } from "./processes.ts";
import type { SshPlace } from "./ssh-place.ts";
import { table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const run = promisify(execFile);
const atOnce = 8;
const quiet = 2000;

/** What a recorded session costs the gateway while it begins, and while it lies there. The host is one that costs nothing itself. */
export async function benchSshSessions(place: SshPlace, print: (text: string) => void): Promise<readonly Verdict[]> {
  const host = await startProgram(cores.rest, "bench-ssh-host", await hostIdentity(place), z.object({ port: z.number() }));
  const pid = place.world.gateway.child.pid ?? 0;
  try {
    const node = { kind: "node", version: "v2", sub_kind: "openssh", metadata: { name: "idle-id" }, spec: { addr: `127.0.0.1:${String(host.ready.port)}`, hostname: "idle" } };
    const { code, stderr } = await place.world.tctl(["create", "-f", "-"], { input: stringify(node) });
    if (code !== 0) throw new Error(`tctl create node: ${stderr}`);
    const record = await readIdentityFile(place.identity("recorded"), { env: {}, proxy: place.world.proxy, now: systemClock.now() });
    // Code gets compiled, and pools and caches reach their size.
    close(await openSessions(record, 300));
    await collected(pid);

    const [before, start] = [cpuTime(pid), performance.now()];
    const few = await openSessions(record, 300);
    const [cpu, took] = [(cpuTime(pid) - before) / 1e6, (performance.now() - start) / 1000];
    const fewMemory = await collected(pid);
    const many = await openSessions(record, 600);
    const manyMemory = await collected(pid);
    close([...few, ...many]);
    print(table(["recorded sessions", ""], [["set up per second, gateway, client and host on two cores", (few.length / took).toFixed(0)], ["CPU of the gateway for one, ms", ((cpu * 1000) / few.length).toFixed(2)]]));
    return [
      verdict("recorded sessions set up in a second of one core", few.length / cpu, "≥", 200, ""),
      verdict("resident memory of one idle recorded session", (manyMemory - fewMemory) / many.length / 1024, "≤", 200, "KB"),
    ];
  } finally {
    await stop(host.child);
  }
}

async function hostIdentity(place: SshPlace): Promise<{ readonly key: string; readonly certificate: string }> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const file = join(place.world.folder, "idle");
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writeFile(file, key, { mode: 0o600 });
  await writeFile(`${file}.pub`, (await run("ssh-keygen", ["-y", "-f", file])).stdout);
  const { code, stderr } = await place.world.tctl(["auth", "sign", "--host=idle", `--key=${file}.pub`]);
  if (code !== 0) throw new Error(`tctl auth sign: ${stderr}`);
  return { key, certificate: await readFile(`${file}-cert.pub`, "utf8") };
}

/** Resident memory once the garbage is out, bytes. */
async function collected(pid: number): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await sleep(quiet / 2);
    process.kill(pid, "SIGUSR2");
  }
  await sleep(quiet / 2);
  return residentMemory(pid);
}

async function openSessions(record: LoginRecord, count: number): Promise<Transport[]> {
  const sessions: Transport[] = [];
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun++ < count) sessions.push(await openSession(record));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sessions;
}

function close(sessions: readonly Transport[]): void {
  for (const session of sessions) session.destroy();
}

/** A shell with a terminal, up to the answer that it runs. */
async function openSession(record: LoginRecord): Promise<Transport> {
  const { socket, mode } = await connectHost(record, { target: "idle", port: undefined, login: hostLogin, key: undefined });
  if (mode !== "proxy") throw new Error("the gateway does not record");
  const transport = await connectTransport({ socket, user: hostLogin, verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
  const request = (name: string, data: Buffer): Buffer => encodeSshMessage({ type: "channel_request", channel: 0, name, wantReply: true, data });
  await new Promise<void>((resolve, reject) => {
    let answers = 0;
    transport.start({
      onPayload: (payload) => {
        const { type } = parseSshMessage(payload);
        if (type === "channel_open_confirmation") {
          // A terminal without modes, 80 × 24.
          transport.send(request("pty-req", Buffer.from("00000005787465726d000000500000001800000000000000000000000100", "hex")));
          transport.send(request("shell", Buffer.alloc(0)));
        } else if (type === "channel_success" && ++answers === 2) resolve();
        else if (type === "channel_failure" || type === "channel_open_failure") reject(new Error(`the session is refused: ${type}`));
      },
      onEnd: (end) => reject(new Error(`the session ended: ${JSON.stringify(end)}`)),
    });
    transport.send(encodeSshMessage({ type: "channel_open", kind: "session", sender: 0, window: 2 ** 21, maxPacket: 32_768, data: Buffer.alloc(0) }));
  });
  return transport;
}
