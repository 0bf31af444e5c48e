import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { requireTool } from "../testing/index.ts";
import {
  SshWriter,
  agentFrame,
  agentLimits,
  createAgentFrames,
  encodeAgentRequest,
  encodeAgentResponse,
  parseAgentRequest,
  parseAgentResponse,
  parseSessionBind,
  type AgentRequest,
  type AgentResponse,
} from "./index.ts";

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const plain = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: "grapheme", maxLength }).filter((text) => !text.includes("\0"));

const requests: fc.Arbitrary<Exclude<AgentRequest, { type: "other" }>> = fc.oneof(
  fc.constant({ type: "identities" } as const),
  fc.record({ type: fc.constant("sign" as const), blob: bytes, data: bytes, flags: fc.nat(0xffff_ffff) }),
  fc.record({ type: fc.constant("remove" as const), blob: bytes }),
  fc.record({ type: fc.constant("remove-all" as const) }),
  fc.record({ type: fc.constant("add" as const), contents: bytes }),
  fc.record({ type: fc.constantFrom("lock" as const, "unlock" as const), passphrase: bytes }),
  fc.record({ type: fc.constant("extension" as const), name: plain(40), contents: bytes }),
);
const responses: fc.Arbitrary<Exclude<AgentResponse, { type: "other" }>> = fc.oneof(
  fc.record({ type: fc.constantFrom("success" as const, "failure" as const, "extension-failure" as const) }),
  fc.record({ type: fc.constant("identities" as const), identities: fc.array(fc.record({ blob: bytes, comment: plain(40) }), { maxLength: 6 }) }),
  fc.record({ type: fc.constant("signature" as const), signature: bytes }),
);

/** What a parser throws for these bytes, or undefined; anything but an error of ours fails the test. */
function problem(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    return error.code;
  }
}

describe("the ssh-agent protocol", () => {
  it("reads back what it writes", () => {
    fc.assert(fc.property(requests, (request) => {
      expect(parseAgentRequest(encodeAgentRequest(request))).toEqual(request);
    }));
    fc.assert(fc.property(responses, (response) => {
      expect(parseAgentResponse(encodeAgentResponse(response))).toEqual(response);
    }));
  });

  it("refuses anything cut short or with something after it, and never throws anything else", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      problem(() => parseAgentRequest(noise));
      problem(() => parseAgentResponse(noise));
      problem(() => parseSessionBind(noise));
    }));
    const sign = encodeAgentRequest({ type: "sign", blob: Buffer.from("key"), data: Buffer.from("data"), flags: 0 });
    for (let length = 0; length < sign.length; length++) expect(problem(() => parseAgentRequest(sign.subarray(0, length)))).toBe("bad_parameter");
    expect(problem(() => parseAgentRequest(Buffer.concat([sign, Buffer.of(0)])))).toBe("bad_parameter");
    expect(problem(() => parseAgentRequest(Buffer.alloc(agentLimits.frame + 1, 17)))).toBe("bad_parameter");
    expect(problem(() => parseAgentResponse(new SshWriter().raw(Buffer.of(12)).uint32(3_000_000).toBuffer()))).toBe("bad_parameter");
  });

  it("knows messages that it does not read by their number alone", () => {
    expect(parseAgentRequest(Buffer.of(20, 1, 2, 3))).toEqual({ type: "other", number: 20 });
    expect(parseAgentResponse(Buffer.of(29, 1))).toEqual({ type: "other", number: 29 });
  });

  it("takes a stream apart however it is cut up", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }), (payloads, cuts) => {
      const stream = Buffer.concat(payloads.map((payload) => agentFrame(payload)));
      const frames = createAgentFrames();
      const found: Buffer[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const end = at + cuts[turn % cuts.length]!;
        found.push(...frames.push(stream.subarray(at, end)).map((payload) => Buffer.from(payload)));
        at = end;
      }
      expect(found).toEqual(payloads.map((payload) => Buffer.from(payload)));
      expect(frames.pending).toBe(0);
    }));
  });

  it("refuses a frame that is too large before it is there, and an empty one", () => {
    expect(problem(() => createAgentFrames(10).push(Buffer.of(0, 0, 0, 11)))).toBe("limit_exceeded");
    expect(problem(() => createAgentFrames().push(Buffer.of(255, 255, 255, 255)))).toBe("limit_exceeded");
    expect(problem(() => createAgentFrames().push(Buffer.of(0, 0, 0, 0, 1)))).toBe("bad_parameter");
    const slow = createAgentFrames();
    for (let index = 0; index < 4; index++) expect(slow.push(Buffer.of(index === 3 ? 2 : 0))).toEqual([]);
    expect(slow.push(Buffer.from("ab"))).toEqual([Buffer.from("ab")]);
  });

  it.skipIf(!requireTool("ssh-add", "Debian: openssh-client"))("is what OpenSSH's ssh-add speaks", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-agent-"));
    const asked: AgentRequest[] = [];
    const server = createServer((socket: Socket) => {
      const frames = createAgentFrames();
      socket.on("data", (chunk) => {
        for (const payload of frames.push(chunk)) {
          const request = parseAgentRequest(payload);
          asked.push(request);
          socket.write(agentFrame(encodeAgentResponse(request.type === "identities" ? { type: "identities", identities: [] } : { type: "failure" })));
        }
      });
      socket.on("error", () => undefined);
    });
    server.listen(join(folder, "agent"));
    await once(server, "listening");
    try {
      const said = await new Promise<string>((resolve, reject) => {
        execFile("ssh-add", ["-l"], { env: { PATH: process.env["PATH"], SSH_AUTH_SOCK: join(folder, "agent") } }, (error, stdout) => {
          if (error && error.code === "ENOENT") reject(error);
          else resolve(stdout);
        });
      });
      expect(said).toBe("The agent has no identities.\n");
      expect(asked).toEqual([{ type: "identities" }]);
    } finally {
      server.close();
      await rm(folder, { recursive: true });
    }
  });
});
