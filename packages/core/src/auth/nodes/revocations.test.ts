import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CertificateIdentity } from "../../ca/index.ts";
import { parseAuthorizedKey, parseKrl } from "../../formats/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "../testing/index.ts";

const hour = 3_600_000;
const password = "correct horse battery";

describe("the revocation list", () => {
  let world: AuthWorld;
  beforeEach(async () => {
    world = await openAuthWorld();
    await world.put({ kind: "role", version: "v3", metadata: { name: "dev" }, spec: { allow: { logins: ["root"] } } });
    await world.put({ kind: "role", version: "v3", metadata: { name: "ops" }, spec: { allow: { logins: ["root"] } } });
  });
  afterEach(() => world.close());

  const again = async (user: string): Promise<CertificateIdentity> => world.certificate(await world.auth.logins.local({ user, password, otpToken: "", publicKey: newPublicKey(), ttl: 3 * hour, compatibility: "", origin }));
  async function logIn(name: string, roles: readonly string[]): Promise<CertificateIdentity> {
    const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles, traits: {}, ttl: hour });
    await world.auth.links.setPassword(token, password, origin);
    return again(name);
  }
  const revoked = (auth = world.auth): readonly string[] => parseKrl(auth.revocations.list().krl).certificates.flatMap(({ keyIds }) => keyIds);
  const idOf = ({ username, sessionId }: CertificateIdentity): string => `${username} session=${sessionId ?? ""}`;
  const lock = (target: Record<string, string>, name = "l1"): Promise<unknown> => world.put({ kind: "lock", version: "v2", metadata: { name }, spec: { target } });

  it("has nobody on it who may come in", async () => {
    await logIn("ana", ["dev"]);
    expect(revoked()).toEqual([]);
  });

  it("has whoever is locked, by name, role or session, with all their logins, until the lock ends", async () => {
    const bo = await logIn("bo", ["dev", "ops"]);
    const second = await again("bo");
    const ana = await logIn("ana", ["dev"]);
    await lock({ user: "bo" });
    expect(revoked()).toEqual([idOf(bo), idOf(second)].sort());
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "l1" });
    expect(revoked()).toEqual([]);
    await lock({ role: "ops" });
    expect(revoked()).toEqual([idOf(bo), idOf(second)].sort());
    await lock({ session: ana.sessionId ?? "" }, "l2");
    expect(revoked()).toEqual([idOf(ana), idOf(bo), idOf(second)].sort());
    await lock({ user: "ana", login: "root" }, "l3");
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "l2" });
    // A lock on a login of hosts is for the gateway to see: no key id says the login.
    expect(revoked()).toEqual([idOf(bo), idOf(second)].sort());
  });

  it("has logins that were ended, and users who were removed, for as long as something minted for them may live, on every gateway", async () => {
    const other = await world.another();
    const ana = await logIn("ana", ["dev"]);
    const bo = await logIn("bo", ["dev"]);
    await expect.poll(() => other.gatekeeper.identify(ana).username).toBe("ana");
    await world.auth.logins.logout(world.auth.gatekeeper.identify(ana));
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "bo" });
    expect(revoked()).toEqual([idOf(ana), idOf(bo)]);
    await expect.poll(() => revoked(other)).toEqual([idOf(ana), idOf(bo)]);
    world.clock.advance(11 * 60_000);
    expect(revoked()).toEqual([]);
  });

  it("is of the authority that mints, and keeps its tag while it says the same", async () => {
    const empty = world.auth.revocations.list();
    world.clock.advance(5000);
    expect(world.auth.revocations.list()).toBe(empty);
    const bo = await logIn("bo", ["dev"]);
    expect(world.auth.revocations.list().tag).toBe(empty.tag);
    await lock({ user: bo.username });
    const list = world.auth.revocations.list();
    expect(list.tag).not.toBe(empty.tag);
    expect(parseKrl(list.krl).certificates.map(({ caKey }) => Buffer.from(caKey))).toEqual(world.authorities.trust("openssh").sshKeys.map((line) => parseAuthorizedKey(line).blob));
  });
});
