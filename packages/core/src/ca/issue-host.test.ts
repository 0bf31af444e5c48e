import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseCertificate, parseSshCertificate, verifySshCertificate } from "../formats/index.ts";
import { blobs, createPlace, hostRequest, start, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("issueHost", () => {
  it("signs an SSH certificate with a host's names, in lower case", async () => {
    const authorities = await place.open();
    const certificate = parseSshCertificate(authorities.issueHost(hostRequest()).ssh);
    expect(certificate).toMatchObject({ type: "host", keyId: "", principals: ["5f2b.example", "gateway-1.example", "gateway-1", "gw.example.com"] });
    expect(Object.fromEntries(certificate.extensions)).toEqual({ "x-teleport-authority": "example", "x-teleport-role": "Proxy" });
    verifySshCertificate(certificate, { caKeys: blobs(authorities, "host"), now: start, type: "host", principal: "GW.example.com" });
    expect(parseSshCertificate(authorities.issueHost(hostRequest({ role: "Admin" })).ssh).principals).toEqual(["5f2b.example"]);
  });

  it("signs an X.509 certificate for servers alone", async () => {
    const authorities = await place.open();
    const certificate = parseCertificate(authorities.issueHost(hostRequest()).tls);
    expect(certificate).toMatchObject({ subject: { O: ["Proxy"], CN: ["5f2b.example"] }, extendedKeyUsage: ["serverAuth"], dnsNames: hostRequest().dnsNames, ipAddresses: ["127.0.0.1"], ca: false });
    expect(() => authorities.issueHost(hostRequest({ role: "access" }))).toThrow(/not a role of a machine/);
    expect(() => authorities.issueHost(hostRequest({ hostId: "" }))).toThrow(/host id/);
  });
});
