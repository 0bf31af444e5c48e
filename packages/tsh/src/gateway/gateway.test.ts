import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOutput, plainStyle } from "@gatehouse/core/client/terminal";
import { runGateway, type GatewayFlags, type GatewayIo } from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "run-gateway-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Process {
  readonly io: GatewayIo;
  stdout(): string;
  stderr(): string;
  /** Resolves with what was printed when the gateway is ready. */
  readonly ready: Promise<string>;
  signal(name: NodeJS.Signals): void;
}

/** A process of a test's own: streams that are kept, signals that are sent by hand. */
function fakeProcess(): Process {
  const text = { stdout: "", stderr: "" };
  let becameReady: (text: string) => void = () => undefined;
  const ready = new Promise<string>((resolve) => (becameReady = resolve));
  const listeners = new Map<NodeJS.Signals, (signal: NodeJS.Signals) => void>();
  const sink = (stream: "stdout" | "stderr"): { write(chunk: string): void } => ({
    write(chunk) {
      text[stream] += chunk;
      if (stream === "stdout") becameReady(chunk);
    },
  });
  return {
    io: {
      output: createOutput({ stdout: sink("stdout"), stderr: sink("stderr"), env: {}, style: plainStyle }),
      onSignal(signals, listener) {
        for (const signal of signals) listeners.set(signal, listener);
        return () => signals.forEach((signal) => listeners.delete(signal));
      },
    },
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ready,
    signal(name) {
      listeners.get(name)?.(name);
    },
  };
}

/** Flags for a gateway on loopback that keeps everything under `name`. */
async function flagsFor(name: string, yaml: string, more: Partial<GatewayFlags> = {}): Promise<GatewayFlags> {
  const config = join(folder, `${name}.yaml`);
  await writeFile(config, yaml);
  return {
    config,
    dataDir: join(folder, name),
    clusterName: "example",
    webListenAddr: "127.0.0.1:0",
    adminListenAddr: "127.0.0.1:0",
    format: "text",
    drainMs: 0,
    ...more,
  };
}

const logTo = (name: string): string => `teleport: {log: {output: ${join(folder, `${name}.log`)}}}\n`;

describe("tsh proxy", () => {
  it("says where it is, its pin and the next step, stops at SIGTERM with 0, and lets go of its addresses", async () => {
    const child = fakeProcess();
    const ended = runGateway(await flagsFor("text", logTo("text")), child.io);
    const text = await child.ready;
    expect(text).toMatch(/^gatehouse \d+\.\d+\.\d+ {3}cluster example {3}data .*text \(sqlite\)\n/);
    expect(text).toMatch(/ca pin {2}sha256:[0-9a-f]{64}\n/);
    expect(text).toMatch(/no administrator yet: create one with {2}tctl --data-dir=\S+ users add \S+ --roles=admin\n/);
    expect(text).toMatch(/ready in .+\n$/);
    const port = Number(/web {3}https:\/\/127\.0\.0\.1:(\d+)/.exec(text)![1]);
    child.signal("SIGTERM");
    expect(await ended).toBe(0);
    await expect(
      new Promise((resolve, reject) => connect({ port, host: "127.0.0.1" }).once("connect", resolve).once("error", reject)),
    ).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("says it to programs in one line of JSON, and nothing else on standard output", async () => {
    const child = fakeProcess();
    const ended = runGateway(await flagsFor("json", logTo("json"), { format: "json" }), child.io);
    await child.ready;
    child.signal("SIGINT");
    expect(await ended).toBe(0);
    expect(child.stdout().trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(child.stdout())).toMatchObject({
      cluster: "example",
      ca_pin: expect.stringMatching(/^sha256:/) as string,
      first_start: true,
      addresses: { web: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string, admin: expect.any(String) as string },
      kubernetes: [],
    });
  });

  it("warns of what the file says in vain, on standard error", async () => {
    const child = fakeProcess();
    const ended = runGateway(await flagsFor("warned", `${logTo("warned")}proxy_service: {kubernetes: {public_addr: [k.example.com]}}\n`), child.io);
    await child.ready;
    child.signal("SIGTERM");
    await ended;
    expect(child.stderr()).toMatch(/^warning: .*warned\.yaml:\d+.*enabled: yes/m);
  });

  it.each([
    ["an unknown key", "proxy_service: {web_listen_adr: ':0'}\n", {}, { code: "bad_parameter", message: expect.stringMatching(/:1:\d+.*web_listen_adr.*web_listen_addr/s) as string }],
    ["a flag that is no address", "", { webListenAddr: "127.0.0.1:nope" }, { code: "usage" }],
    ["a file that is not there", "", { config: "/nonexistent/teleport.yaml" }, { code: "not_found", message: expect.stringContaining("/nonexistent/teleport.yaml") as string }],
    ["a log that cannot be opened", "teleport: {log: {output: /nonexistent/gateway.log}}\n", {}, { code: "internal", message: expect.stringContaining("/nonexistent/gateway.log") as string }],
  ] as const)("does not start with %s, and says why", async (_what, yaml, flags, error) => {
    const child = fakeProcess();
    await expect(runGateway(await flagsFor("broken", yaml, flags), child.io)).rejects.toMatchObject(error);
    expect(child.stdout()).toBe("");
  });

  it("logs JSON lines to the file that the configuration names", async () => {
    const child = fakeProcess();
    const name = "logged";
    const yaml = `teleport: {log: {output: ${join(folder, `${name}.log`)}, severity: debug}}\n`;
    const ended = runGateway(await flagsFor(name, `${yaml}proxy_service: {kubernetes: {enabled: yes, listen_addr: "127.0.0.1:0", kubeconfig_file: ${join(folder, "kubeconfig")}}}\n`), child.io);
    // The kubeconfig is missing: the gateway ends, and what it opened is closed.
    await expect(ended).rejects.toMatchObject({ code: "bad_parameter" });
    await writeFile(
      join(folder, "kubeconfig"),
      JSON.stringify({
        "current-context": "x",
        clusters: [{ name: "x", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } }],
        contexts: [{ name: "x", context: { cluster: "x", user: "x" } }],
        users: [{ name: "x", user: { token: "t0p-secret" } }],
      }),
      { mode: 0o600 },
    );
    const again = fakeProcess();
    const second = runGateway(await flagsFor(name, `${yaml}proxy_service: {kubernetes: {enabled: yes, listen_addr: "127.0.0.1:0", kubeconfig_file: ${join(folder, "kubeconfig")}}}\n`), again.io);
    expect(await again.ready).toMatch(/kubernetes {2}example ✖ /);
    again.signal("SIGTERM");
    expect(await second).toBe(0);
    const log = await readFile(join(folder, `${name}.log`), "utf8");
    const lines = log.trimEnd().split("\n").map((line) => JSON.parse(line) as { level: string; msg: string });
    expect(lines).toContainEqual(expect.objectContaining({ level: "warn", msg: "the gateway cannot serve this Kubernetes cluster" }));
    expect(log).not.toContain("t0p-secret");
  });
});
