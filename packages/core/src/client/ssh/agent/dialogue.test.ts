import { describe, expect, it } from "vitest";
import { agentFlags, encodeAgentRequest, encodeAgentResponse, parseAgentResponse, type AgentRequest } from "../../../formats/ssh/index.ts";
import type { AddedKeys } from "./added-keys.ts";
import { Dialogue } from "./dialogue.ts";
import { noKeys } from "./held-keys.ts";

type Asked = Exclude<AgentRequest, { readonly type: "other" }>;

const blob = Buffer.from("a key of the agent behind");

/** A request that is put to the agent behind while nothing is locked, and answered there after the lock. */
async function lockedMeanwhile(request: Asked, behind: Buffer | undefined): Promise<{ readonly answer: string; readonly added: number }> {
  const lock = { isLocked: false, lock: () => Promise.resolve(), unlock: () => Promise.resolve() };
  let added = 0;
  const keys: AddedKeys = { list: () => [], has: () => false, sign: () => Promise.resolve(undefined), add: () => (added++, true), remove: () => false, clear: () => undefined };
  const upstream = {
    ask: () => {
      lock.isLocked = true;
      return Promise.resolve(behind);
    },
    close: () => undefined,
  };
  const answer = parseAgentResponse(await new Dialogue({ held: noKeys, upstream, added: keys, lock }).answer(encodeAgentRequest(request)));
  return { answer: answer.type === "identities" ? `${answer.identities.length} identities` : answer.type, added };
}

describe("a lock that comes while the agent behind is asked", () => {
  it("lets no signature out, no list, and nothing else that it says", async () => {
    const signature = encodeAgentResponse({ type: "signature", signature: Buffer.from("signed") });
    expect(await lockedMeanwhile({ type: "sign", blob, data: Buffer.from("data"), flags: agentFlags.rsaSha256 }, signature)).toMatchObject({ answer: "failure" });
    const identities = encodeAgentResponse({ type: "identities", identities: [{ blob, comment: "theirs" }] });
    expect(await lockedMeanwhile({ type: "identities" }, identities)).toMatchObject({ answer: "0 identities" });
    expect(await lockedMeanwhile({ type: "extension", name: "query", contents: Buffer.alloc(0) }, encodeAgentResponse({ type: "success" }))).toMatchObject({ answer: "failure" });
  });

  it("lets no key in that nobody behind takes", async () => {
    expect(await lockedMeanwhile({ type: "add", contents: Buffer.from("key") }, undefined)).toEqual({ answer: "failure", added: 0 });
  });
});
