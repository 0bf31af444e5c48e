import { afterEach, describe, expect, it } from "vitest";
import { buildRoleSet, lockReason, type ActiveLock } from "../../access/index.ts";
import type { Gatekeeper, Identity } from "../../auth/index.ts";
import { GatehouseError, manualClock, nullLogger } from "../../base/index.ts";
import type { Grant } from "./authorize.ts";
import { openRegistry, type Live } from "./registry.ts";
import type { Failure } from "./status.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";

const lock: ActiveLock = { name: "l1", target: { kube_cluster: "real" }, message: "maintenance", expires: Infinity, unreadable: false };
const identity: Identity = { username: "ana", subjectId: "ana", sessionId: "s", traits: {}, roles: buildRoleSet([], {}), expires: Number.MAX_SAFE_INTEGER };

function gatekeeper(over: Partial<Gatekeeper>): Gatekeeper {
  return {
    identify: () => identity,
    kube: () => ({ allowed: true, groups: ["developers"], users: [], nodeProxy: false, reasons: [] }),
    node: () => ({ allowed: false, reasons: [] }),
    sessionLock: () => undefined,
    generation: 1,
    onChange: () => () => undefined,
    ...over,
  };
}

describe("a request that a lock refuses", () => {
  let world: TestWorld;
  afterEach(() => world.close());
  const text = 'Kubernetes cluster "real" is locked: maintenance (lock l1)';

  it.each<[string, Partial<Gatekeeper>]>([
    [
      "the person's",
      {
        identify: () => {
          throw Object.assign(new GatehouseError("access_denied", text), { lock: "l1" });
        },
      },
    ],
    ["the cluster's", { kube: () => ({ allowed: false, groups: [], users: [], nodeProxy: false, reasons: [lockReason(lock)] }) }],
  ])("%s, is told so with a refusal id, and the event names the lock", async (_, over) => {
    world = await createTestWorld({ gatekeeper: gatekeeper(over) });
    const { status, body } = await world.send("ana", "/api/v1/pods");
    expect(status).toBe(403);
    const answer = JSON.parse(body) as { kind: string; code: number; message: string };
    expect(answer).toMatchObject({ kind: "Status", code: 403 });
    expect(answer.message).toMatch(/^Kubernetes cluster "real" is locked: maintenance \(lock l1\) \(refusal [0-9a-f]{8}\)$/);
    const id = /refusal ([0-9a-f]{8})/.exec(answer.message)?.[1];
    expect(world.events).toContainEqual(expect.objectContaining({ event: "kube.denied", lock: "l1", id, reason: text }));
    expect(world.arrived).toHaveLength(0);
  });
});

describe("a live session that a lock names", () => {
  it("ends with the reason, and no other of the same person", () => {
    const locked = new Set<string>();
    const registry = openRegistry(
      gatekeeper({ sessionLock: (_, where, sid) => (locked.has(sid) && where.kubeCluster === "real" ? lockReason({ ...lock, target: { session: sid } }) : undefined) }),
      manualClock(0),
      nullLogger,
      0,
    );
    const ended = new Map<string, Failure>();
    const live = (sid: string | undefined, name: string): Live => ({
      grant: {
        user: "ana",
        kubernetesUser: "ana",
        groups: ["developers"],
        nodeProxy: false,
        upstream: { target: { name: "real", labels: {} } },
        connection: { clusterName: "real", principal: () => ({ identity, groups: ["developers"], users: ["ana"], decision: { nodeProxy: false } }) },
      } as unknown as Grant,
      stream: true,
      sid,
      lastActive: 0,
      end: (why) => void ended.set(name, why),
      tick: () => undefined,
    });
    for (const [sid, name] of [["one", "one"], ["two", "two"], [undefined, "watch"]] as const) registry.add(live(sid, name));
    expect(registry.recheck()).toEqual({ checked: 3, ended: 0 });
    locked.add("one");
    expect(registry.recheck().ended).toBe(1);
    expect([...ended]).toEqual([["one", { code: 403, reason: "Forbidden", message: "access ended: session one is locked: maintenance (lock l1)", lock: "l1" }]]);
    registry.close();
  });
});
