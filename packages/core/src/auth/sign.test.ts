import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Admin, Caller } from "./types.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "./testing/index.ts";

const hour = 3_600_000;

describe("signing for a user", () => {
  let world: AuthWorld;
  beforeAll(async () => {
    world = await openAuthWorld();
    await world.put({ kind: "role", version: "v3", metadata: { name: "short" }, spec: { options: { max_session_ttl: "2h" }, allow: { logins: ["deploy"] } } });
    await world.put({ kind: "role", version: "v3", metadata: { name: "half" }, spec: { allow: { rules: [{ resources: ["user"], verbs: ["create"] }] } } });
    await world.put({ kind: "user", version: "v2", metadata: { name: "ci" }, spec: { roles: ["short"] } });
    await world.put({ kind: "user", version: "v2", metadata: { name: "boss" }, spec: { roles: ["admin"] } });
    await world.put({ kind: "user", version: "v2", metadata: { name: "helper" }, spec: { roles: ["half"] } });
  });
  afterAll(() => world.close());

  const request = (name: string, ttl = hour): Parameters<Admin["signUser"]>[1] => ({ name, publicKey: newPublicKey(), ttl, compatibility: "", origin });
  const personOf = async (name: string): Promise<Caller> => {
    const identity = world.auth.gatekeeper.identify(world.certificate(await world.auth.admin.signUser(localAdmin, request(name))));
    return { type: "person", identity };
  };

  it("makes a login session, audited with who made it, that a lock ends", async () => {
    const certificate = world.certificate(await world.auth.admin.signUser(localAdmin, request("ci")));
    expect(world.auth.gatekeeper.identify(certificate)).toMatchObject({ username: "ci", sessionId: certificate.sessionId });
    expect(world.audit.last("auth.sign")).toMatchObject({ user: "local-admin", name: "ci", session: certificate.sessionId });
    expect(world.audit.last("cert.create")).toMatchObject({ user: "ci", session: certificate.sessionId, roles: ["short"], logins: ["deploy"] });
    await world.put({ kind: "lock", version: "v2", metadata: { name: "stop" }, spec: { target: { session: certificate.sessionId } } });
    expect(() => world.auth.gatekeeper.identify(certificate)).toThrow(/locked/);
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "stop" });
  });

  it("lasts as the roles allow, unless the administrator of the host says otherwise", async () => {
    const lasts = async (caller: Caller, ttl: number): Promise<number> => world.certificate(await world.auth.admin.signUser(caller, request("ci", ttl))).notAfter - world.clock.now();
    expect(await lasts(await personOf("boss"), 10 * hour)).toBe(2 * hour);
    expect(await lasts(localAdmin, 10 * hour)).toBe(10 * hour);
    await expect(lasts(localAdmin, 31 * hour)).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("takes create and update on that user, and tells nobody else whether there is one", async () => {
    const helper = await personOf("helper");
    for (const name of ["ci", "nobody"]) await expect(world.auth.admin.signUser(helper, request(name))).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("update") as string });
    expect(world.audit.last("admin.denied")).toMatchObject({ user: "helper", kind: "user", verb: "update" });
    await expect(world.auth.admin.signUser(localAdmin, request("nobody"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("for somebody who comes through a connector is for the administrator of the host alone", async () => {
    await world.store.transact([{ op: "put", kind: "identity", name: "eve", value: JSON.stringify({ subject: "github:gh:7", created: 0 }), expect: "absent" }]);
    await world.put({ kind: "user", version: "v2", metadata: { name: "eve" }, spec: { roles: ["short"] } });
    await expect(world.auth.admin.signUser(await personOf("boss"), request("eve"))).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("connector") as string });
    expect(world.certificate(await world.auth.admin.signUser(localAdmin, request("eve"))).username).toBe("eve");
  });

  it("makes nothing more of a provider's words than a login through it would", async () => {
    await world.put({ kind: "role", version: "v3", metadata: { name: "grouped" }, spec: { allow: { kubernetes_groups: ["{{internal.kubernetes_groups}}"], kubernetes_labels: { "*": "*" } } } });
    await world.store.transact([{ op: "put", kind: "identity", name: "mallory", value: JSON.stringify({ subject: "oidc:corp:0a1b", created: 0 }), expect: "absent" }]);
    await world.put({ kind: "user", version: "v2", metadata: { name: "mallory" }, spec: { roles: ["grouped"], traits: { kubernetes_groups: ["dev", "system:masters"] } } });
    const { roles } = world.auth.gatekeeper.identify(world.certificate(await world.auth.admin.signUser(localAdmin, request("mallory"))));
    expect(roles.kube({ name: "prod", labels: {} }).groups).toEqual(["dev"]);
  });

  it("of a locked user is refused", async () => {
    await world.put({ kind: "user", version: "v2", metadata: { name: "ci" }, spec: { roles: ["short"], status: { is_locked: true } } });
    await expect(world.auth.admin.signUser(localAdmin, request("ci"))).rejects.toMatchObject({ code: "access_denied" });
  });
});
