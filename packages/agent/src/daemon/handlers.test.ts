import { describe, expect, it } from "vitest";
import { systemRandom } from "@gatehouse/core/base";
import { createLock } from "../lock/index.ts";
import type { AgentLogins, SshAgent } from "../parts.ts";
import { controlHandlers } from "./handlers.ts";

/** The handlers of an agent that is leaving for as long as the test says. */
function leavingAgent() {
  const kept = new Map<string, string>();
  const lock = createLock({ random: systemRandom, log: () => undefined });
  const secrets: AgentLogins["secrets"] = { get: (account) => kept.get(account), set: (account, text) => void kept.set(account, text), delete: (account) => kept.delete(account) };
  let made: (record: string) => void = () => undefined;
  const relogin = (): Promise<unknown> => new Promise((resolve) => (made = (record) => resolve({ record, reason: null })));
  const parts = { lock, logins: { secrets, relogin, state: () => [...kept] } as unknown as AgentLogins, ssh: { state: () => null } as unknown as SshAgent };
  let left: () => void = () => undefined;
  const leaving = new Promise<void>((resolve) => (left = resolve));
  let isLeaving = false;
  const handlers = controlHandlers({
    identity: { version: "1", build: "b", pid: 1, started: 1 },
    parts,
    settings: { current: { relogin: "ask", agent: "on", confirm: false, notifications: "on" }, refresh: () => Promise.resolve() },
    sshSocket: "",
    clients: () => 0,
    idleExit: () => undefined,
    isLeaving: () => isLeaving,
    leave: () => {
      isLeaving = true;
      return leaving;
    },
  });
  return { handlers, lock, kept, left, made: (record: string) => made(record) };
}

const ending = { code: "unavailable", message: expect.stringContaining("the local agent is ending") as string };

describe("an agent that has handed over what it holds", () => {
  it("takes nothing more that would be lost with it: no lock, no secret", async () => {
    const { handlers, lock, kept, left } = leavingAgent();
    await handlers["secret-set"]({ account: "a", text: "1" });
    const handed = handlers.handover({});
    await expect((async () => handlers.lock({ passphrase: "p" }))()).rejects.toMatchObject(ending);
    await expect((async () => handlers["secret-set"]({ account: "b", text: "2" }))()).rejects.toMatchObject(ending);
    await expect((async () => handlers["secret-delete"]({ account: "a" }))()).rejects.toMatchObject(ending);
    expect(await handlers["secret-get"]({ account: "a" })).toEqual({ text: "1" });
    left();
    expect(JSON.parse((await handed).state)).toEqual({ logins: [["a", "1"]], ssh: null });
    expect([lock.isLocked, [...kept]]).toEqual([false, [["a", "1"]]]);
  });

  it("begins no login in the browser, and hands nothing over while somebody waits for one", async () => {
    const { handlers, left, made } = leavingAgent();
    const waiting = handlers.relogin({ profile: "gw" });
    expect(await handlers.hello({})).toMatchObject({ loggingIn: true });
    await expect((async () => handlers.handover({}))()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("wait for a login") as string });
    made("new");
    expect(await waiting).toEqual({ record: "new", reason: null });
    expect(await handlers.hello({})).toMatchObject({ loggingIn: false });
    const handed = handlers.handover({});
    await expect((async () => handlers.relogin({ profile: "gw" }))()).rejects.toMatchObject(ending);
    left();
    await handed;
  });

  it("hands nothing over once it is locked", async () => {
    const { handlers } = leavingAgent();
    const locking = handlers.lock({ passphrase: "p" });
    await expect((async () => handlers.handover({}))()).rejects.toMatchObject({ code: "unauthenticated" });
    await locking;
  });
});
