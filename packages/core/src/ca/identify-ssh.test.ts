import { createPrivateKey } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "../base/index.ts";
import { parseAuthorizedKey, parseSshCertificate, signSshCertificate, type SshCertificateFields } from "../formats/index.ts";
import { createPlace, hostRequest, hour, keys, start, userRequest, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("identifySshUser", () => {
  const peer = { login: "deploy", address: "192.0.2.7" };
  const refusal = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof GatehouseError && error.code === "unauthenticated") return error.message;
      throw error;
    }
    return "";
  };

  it("says who it is, and of which login", async () => {
    const authorities = await place.open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ sourceAddresses: ["192.0.2.0/24"] })).ssh);
    expect(authorities.identifySshUser(certificate, peer)).toEqual({
      username: "ana", roles: ["access", "auditor"], logins: ["ana", "deploy"], traits: { logins: ["ana"], kubernetes_groups: ["developers", "viewers"] }, usage: [], clusterName: "example",
      subjectId: "github:github:1001", sessionId: "0b9f4f6e-session", generation: 1, serial: certificate.serial.toString(), notBefore: start - 60_000, notAfter: start + 12 * hour,
    });
    expect(refusal(() => authorities.identifySshUser(certificate, { ...peer, login: "root" }))).toContain('not for "root"');
    expect(refusal(() => authorities.identifySshUser(certificate, { ...peer, address: "192.0.3.7" }))).toContain("from this address");
    place.clock.advance(12 * hour);
    expect(refusal(() => authorities.identifySshUser(certificate, peer))).toContain("it has expired");
  });

  it("lets somebody without logins name any, to be told that there is none", async () => {
    const authorities = await place.open();
    expect(authorities.identifySshUser(parseSshCertificate(authorities.issueUser(userRequest({ logins: [] })).ssh), peer).logins).toEqual([]);
  });

  it("refuses an address list that leaves nothing from everywhere", async () => {
    const authorities = await place.open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ sourceAddresses: [] })).ssh);
    expect(refusal(() => authorities.identifySshUser(certificate, peer))).toContain("from this address");
  });

  it("refuses certificates of others, of hosts and for one connection, and what it does not know", async () => {
    const authorities = await place.open();
    const foreign = await place.open(await place.openIn("foreign"));
    const of = (line: string, caller = authorities): string => refusal(() => caller.identifySshUser(parseSshCertificate(line), peer));
    expect(of(foreign.issueUser(userRequest()).ssh)).toContain("not a trusted authority");
    expect(of(authorities.issueHost(hostRequest()).ssh)).toContain("a host's certificate");
    expect(of(authorities.issueConnection({ publicKey: keys.publicKey, username: "ana", sessionId: "1", login: "deploy", nodeId: "n", sourceAddresses: ["192.0.2.7"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false }).ssh)).toContain("one connection to a host");
    expect(of(authorities.issueUser(userRequest({ format: "oldssh" })).ssh)).toContain("names no roles");
    const stored = JSON.parse((await place.store.get("cert_authority", "user"))?.secret ?? "{}") as { ssh_keys: string[] };
    const sign = (changes: Partial<SshCertificateFields>): string =>
      signSshCertificate(
        { type: "user", publicKey: parseAuthorizedKey(keys.publicKey).blob, serial: 1n, keyId: "ana", principals: ["deploy"], validAfter: 0n, validBefore: BigInt(start / 1000 + 60), criticalOptions: new Map(), extensions: new Map([["teleport-roles", '{"version":"v1","roles":[]}']]), ...changes },
        createPrivateKey(stored.ssh_keys[0]!),
        systemRandom,
      );
    expect(of(sign({}))).toContain("names no login session");
    expect(of(sign({ type: "host" }))).toContain("a host certificate");
    expect(of(sign({ criticalOptions: new Map([["force-command", "id"]]) }))).toContain('critical option "force-command" is not supported');
    const session = ["gatehouse-session", '{"subject":"a","session":"b"}'] as const;
    expect(of(sign({ extensions: new Map([session, ["teleport-roles", '{"version":"v1","roles":["Proxy"]}']]) }))).toContain("a machine's role");
    expect(of(sign({ extensions: new Map([["gatehouse-session", "{}"], ["teleport-roles", "x"]]) }))).toContain("unknown shape");
    expect(of(sign({ keyId: "system:admin", extensions: new Map([session, ["teleport-roles", '{"version":"v1","roles":[]}']]) }))).toContain("is reserved");
  });
});
