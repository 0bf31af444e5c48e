import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "@gatehouse/core/base";
import { AgentLocked, askAgent, formatAgentRequest, type AgentStatus } from "@gatehouse/core/client/local-agent";
import { serveControl, type ControlHandlers, type ControlOptions, type ControlServer } from "./index.ts";
import { answerLine } from "./answer.ts";

let folder: string;
let path: string;
let server: ControlServer | undefined;
let release: (() => void) | undefined;
const lines: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-control-"));
  path = join(folder, "agent.sock");
  lines.length = 0;
});
afterEach(async () => {
  release?.();
  await server?.leave();
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

const secrets = new Map<string, string>();
const handlers: ControlHandlers = {
  hello: () => ({ version: "1", build: "b", pid: 1, started: 1 }),
  status: () => ({}) as AgentStatus,
  credentials: () => {
    throw new AgentLocked();
  },
  relogin: () => new Promise((resolve) => (release = () => resolve({ record: null, reason: "later" }))),
  changed: () => ({}),
  "secret-get": ({ account }) => ({ text: secrets.get(account) ?? null }),
  "secret-set": ({ account, text }) => {
    secrets.set(account, text);
    return {};
  },
  "secret-delete": ({ account }) => ({ removed: secrets.delete(account) }),
  lock: () => {
    throw new Error("s3cret of a fault");
  },
  unlock: () => ({}),
  handover: () => ({ state: "x".repeat(2 * 1024 * 1024) }),
  stop: () => ({}),
};

const serve = async (options: Partial<ControlOptions> = {}): Promise<void> => {
  server = await serveControl({ path, handlers, random: systemRandom, log: (line) => lines.push(line), ...options });
};
const place = (): { directory: string; control: string } => ({ directory: folder, control: path });
const textOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => undefined).once("close", () => resolve(text));
  });

describe("the agent's socket", () => {
  it("answers each verb, with refusals as they are", async () => {
    await serve();
    const text = "é".repeat(100_000);
    await askAgent(place(), "secret-set", { account: "a", text });
    expect(await askAgent(place(), "secret-get", { account: "a" })).toEqual({ text });
    await expect(askAgent(place(), "credentials", { profile: "p" })).rejects.toThrow(AgentLocked);
    await expect(askAgent(place(), "handover", {})).rejects.toMatchObject({ code: "limit_exceeded" });
    await expect(askAgent(place(), "lock", { passphrase: "x" })).rejects.toBeInstanceOf(GatehouseError);
    expect(lines).toEqual([expect.stringContaining("a request failed")]);
  });

  it("answers many questions of one client, in order, also where it ends first", async () => {
    await serve();
    const socket = connect(path);
    socket.end(formatAgentRequest("secret-set", { account: "b", text: "1" }) + formatAgentRequest("secret-get", { account: "b" }) + formatAgentRequest("hello", {}));
    const answers = (await textOf(socket)).trim().split("\n").map((line) => (JSON.parse(line) as { answer: object }).answer);
    expect(answers).toEqual([{}, { text: "1" }, { version: "1", build: "b", pid: 1, started: 1 }]);
  });

  it("waits for nobody who does not finish a line, and for nobody who says nothing", async () => {
    await serve({ lineTime: 100 });
    const half = connect(path);
    half.write('{"v":1,');
    expect(await Promise.all([textOf(half), textOf(connect(path))])).toEqual(["", ""]);
    expect(await askAgent(place(), "hello", {})).toMatchObject({ pid: 1 });
  });

  it("turns away who is one too many, and lets the next one in when somebody goes", async () => {
    await serve({ clients: 2 });
    const first = connect(path);
    const second = connect(path);
    await Promise.all([first, second].map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    await expect.poll(() => server?.clients).toBe(2);
    await expect(askAgent(place(), "hello", {})).rejects.toMatchObject({ code: "limit_exceeded" });
    first.destroy();
    await expect.poll(() => server?.clients).toBe(1);
    expect(await askAgent(place(), "hello", {})).toMatchObject({ pid: 1 });
    second.destroy();
  });

  it("lets an answer under way go out before it closes", async () => {
    await serve();
    const asked = askAgent(place(), "relogin", { profile: "p", proxy: "gw:3080", auth: null });
    await expect.poll(() => release !== undefined).toBe(true);
    await server?.leave();
    const closed = server?.close();
    release?.();
    expect(await asked).toEqual({ record: null, reason: "later" });
    await closed;
    expect(await askAgent(place(), "hello", {})).toBeUndefined();
  });

  it("answers any line with one line that quotes none of it where it is no request", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.record({ v: fc.anything(), verb: fc.anything(), profile: fc.anything() }).map((value) => JSON.stringify(value))), async (line) => {
        const answer = await answerLine(line, handlers, () => undefined);
        expect(answer.endsWith("\n") && answer.indexOf("\n") === answer.length - 1).toBe(true);
        expect(JSON.parse(answer)).toMatchObject({ v: 1 });
      }),
    );
    const whole = { v: 1, verb: "relogin", profile: "p", proxy: "gw:3080", auth: null };
    const spoilt = [{ profile: "" }, { profile: "p".repeat(513) }, { proxy: 3080 }, { auth: undefined }, { auth: ["s3cret"] }, { s3cret: "s3cret" }, { ["__proto__"]: "s3cret" }, { verb: "toString" }, { v: 1.5 }, { v: 2 }];
    for (const change of spoilt) {
      const answer = await answerLine(JSON.stringify({ ...whole, ...change }), handlers, () => undefined);
      expect(answer, JSON.stringify(change)).toContain('"ok":false');
      expect(answer).not.toContain("s3cret");
    }
    expect(await answerLine('{"v":1,"verb":"secret-set","account":"a","text":{"deep":"s3cret"}}', handlers, () => undefined)).not.toContain("s3cret");
    expect(await answerLine("s3cret", handlers, () => undefined)).not.toContain("s3cret");
  });
});
