import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseSshCertificate, verifySshCertificate } from "../formats/index.ts";
import type { ConnectionCertificateRequest } from "./index.ts";
import { blobs, createPlace, hour, keys, start, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("issueConnection", () => {
  const connection = (changes: Partial<ConnectionCertificateRequest> = {}): ConnectionCertificateRequest => ({
    publicKey: keys.publicKey,
    username: "ana",
    sessionId: "7c1e",
    login: "deploy",
    nodeId: "5f2b",
    sourceAddresses: ["10.0.0.7", "2001:db8::/64"],
    ttl: 60_000,
    permitPortForwarding: false,
    permitAgentForwarding: false,
    ...changes,
  });

  it("signs for one login on one host, some minutes, and the gateway's address, with the authority that hosts trust", async () => {
    const authorities = await place.open();
    const { ssh, expires } = authorities.issueConnection(connection());
    expect(expires).toBe(start + 60_000);
    const certificate = parseSshCertificate(ssh);
    expect(certificate).toMatchObject({ keyId: "ana session=7c1e", principals: ["deploy@5f2b"] });
    expect(Object.fromEntries(certificate.criticalOptions)).toEqual({ "source-address": "10.0.0.7,2001:db8::/64" });
    expect([...certificate.extensions.keys()]).toEqual(["permit-pty"]);
    const check = { caKeys: blobs(authorities, "openssh"), now: start, type: "user", principal: "deploy@5f2b" } as const;
    verifySshCertificate(certificate, { ...check, sourceAddress: "10.0.0.7" });
    expect(() => verifySshCertificate(certificate, { ...check, sourceAddress: "10.0.0.8" })).toThrow(/from this address/);
    const more = parseSshCertificate(authorities.issueConnection(connection({ forceCommand: "uptime", permitPortForwarding: true, permitX11Forwarding: true })).ssh);
    expect(more.criticalOptions.get("force-command")).toBe("uptime");
    expect([...more.extensions.keys()]).toEqual(["permit-X11-forwarding", "permit-port-forwarding", "permit-pty"]);
  });

  it.each([[{ ttl: hour }, /cannot be issued/], [{ sourceAddresses: [] }, /addresses/], [{ sourceAddresses: ["10.0.0.1/8"] }, /addresses/], [{ login: "root@5f2b" }, /no @/], [{ nodeId: "" }, /host's id/]])("refuses %j", async (changes, message) => {
    const authorities = await place.open();
    expect(() => authorities.issueConnection(connection(changes))).toThrow(message);
  });
});
