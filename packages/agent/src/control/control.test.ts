import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "@gatehouse/core/base";
import { AgentLocked, AgentPlaceRefused, askAgent, formatAgentRequest, pipeProof, type AgentStatus } from "@gatehouse/core/client/local-agent";
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
    const asked = askAgent(place(), "relogin", { profile: "p" });
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
    const whole = { v: 1, verb: "secret-set", account: "p", text: "t" };
    expect(await answerLine(JSON.stringify(whole), handlers, () => undefined)).toContain('"ok":true');
    const spoilt = [{ account: "" }, { account: "p".repeat(513) }, { account: 3080 }, { text: undefined }, { text: ["s3cret"] }, { s3cret: "s3cret" }, { ["__proto__"]: "s3cret" }, { verb: "toString" }, { v: 1.5 }, { v: 2 }];
    for (const change of spoilt) {
      const answer = await answerLine(JSON.stringify({ ...whole, ...change }), handlers, () => undefined);
      expect(answer, JSON.stringify(change)).toContain('"ok":false');
      expect(answer).not.toContain("s3cret");
    }
    expect(await answerLine('{"v":1,"verb":"secret-set","account":"a","text":{"deep":"s3cret"}}', handlers, () => undefined)).not.toContain("s3cret");
    expect(await answerLine("s3cret", handlers, () => undefined)).not.toContain("s3cret");
  });
});

describe("a pipe, whose owner nobody sees", () => {
  const secret = "5".repeat(64);
  const withSecret = async (text = secret): Promise<{ directory: string; control: string; secret: string }> => {
    const file = join(folder, "pipe.secret");
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return { ...place(), secret: file };
  };

  it("is spoken over by who can read the secret, and nobody else", async () => {
    await serve({ secret });
    const pipe = await withSecret();
    expect(await askAgent(pipe, "hello", {})).toMatchObject({ pid: 1 });
    expect(await Promise.all(Array.from({ length: 20 }, () => askAgent(pipe, "secret-get", { account: "none" })))).toEqual(Array.from({ length: 20 }, () => ({ text: null })));
    // Of the proofs that somebody has heard none is any good the next time.
    const heard = pipeProof(secret, "command", "0".repeat(32));
    const tries = [[formatAgentRequest("hello", {})], ['{"v":1,"prove":"short"}\n'], [`{"v":1,"prove":"${"0".repeat(32)}"}\n`, `{"v":1,"proof":"${heard}"}\n`, formatAgentRequest("hello", {})], ["s3cret\n"]];
    for (const said of tries) {
      const socket = connect(path);
      const text = textOf(socket);
      for (const line of said) socket.write(line);
      expect(await text).toMatch(/"code":"access_denied"[^\n]*\n$/);
      expect(await text).not.toContain("pid");
    }
    await expect(askAgent(await withSecret("6".repeat(64)), "hello", {})).rejects.toThrow(AgentPlaceRefused);
    expect(await askAgent({ ...place(), secret: join(folder, "none") }, "hello", {})).toBeUndefined();
  });

  it("that somebody else has opened is told nothing", async () => {
    const heard: string[] = [];
    // It gives back what it is sent, and proofs that it has heard elsewhere.
    const squatter = createServer((socket) => socket.on("error", () => undefined).on("data", (chunk) => {
      heard.push(chunk.toString());
      socket.write(`${JSON.stringify({ v: 1, proof: pipeProof(secret, "agent", "0".repeat(32)), nonce: "1".repeat(32) })}\n`);
    }));
    squatter.listen(path);
    await once(squatter, "listening");
    await chmod(path, 0o600);
    try {
      await expect(askAgent(await withSecret(), "secret-set", { account: "a", text: "s3cret" })).rejects.toThrow("answered by somebody who cannot read");
      expect(heard.join("")).toMatch(/^\{"v":1,"prove":"[0-9a-f]{32}"\}\n$/);
    } finally {
      squatter.close();
    }
  });
});
