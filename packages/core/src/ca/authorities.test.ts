import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { certificateDer, parseCertificate, spkiPin, sshFingerprint } from "../formats/index.ts";
import { exportAuthority } from "./index.ts";
import { blobs, createPlace, userRequest, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("openAuthorities", () => {
  it("makes three authorities once, and finds them again", async () => {
    const first = await place.open();
    const again = await place.open();
    expect(again.caPin).toBe(first.caPin);
    for (const kind of ["user", "openssh", "host"] as const) {
      expect(again.trust(kind)).toEqual(first.trust(kind));
      expect(first.trust(kind)).toBe(first.trust(kind));
      expect(first.trust(kind).sshKeys).toHaveLength(1);
      expect(first.trust(kind).sshKeys[0]).toMatch(/^ssh-ed25519 \S+$/);
      expect(first.trust(kind).tlsCertificates).toHaveLength(kind === "openssh" ? 0 : 1);
    }
    expect(new Set(["user", "openssh", "host"].map((kind) => first.trust(kind as "user").sshKeys[0])).size).toBe(3);
    expect(again.identifyUser(certificateDer(first.issueUser(userRequest()).tls)).username).toBe("ana");
  });

  it("writes CA certificates as v3 does, for ten years", async () => {
    const authorities = await place.open();
    const certificate = parseCertificate(authorities.trust("host").tlsCertificates[0]!);
    expect(certificate).toMatchObject({
      subject: { O: ["example"], CN: ["example"], serialNumber: [certificate.serial.toString()] },
      issuer: certificate.subject,
      ca: true,
      pathLength: 0,
      keyUsage: ["digitalSignature", "keyCertSign"],
      signatureAlgorithm: "ecdsa-sha256",
      notAfter: Date.UTC(2036, 5, 1, 12),
    });
    expect(authorities.caPin).toBe(spkiPin(certificate.der));
  });

  it("agrees when several gateways start at once", async () => {
    const other = await place.openIn("db");
    const opened = await Promise.all([place.open(), place.open(other), place.open(), place.open(other)]);
    expect(new Set(opened.map(({ caPin }) => caPin)).size).toBe(1);
    const [a, b] = [opened[0], opened[1]];
    expect(b.identifyUser(certificateDer(a.issueUser(userRequest()).tls)).username).toBe("ana");
  });

  it("keeps private keys in the secret alone", async () => {
    await place.open();
    for (const item of await place.store.list("cert_authority")) {
      expect(item.value).not.toContain("PRIVATE");
      expect((await place.store.get("cert_authority", item.name))?.secret).toContain("PRIVATE KEY");
    }
  });

  it("says so when the cluster has another name", async () => {
    await place.open();
    await expect(place.open(place.store, "other")).rejects.toThrow(/belongs to cluster "example".*configured as "other"/);
    await expect(place.open(place.store, "bad name")).rejects.toThrow(/cannot be a cluster's name/);
    await expect(place.open(place.store, "")).rejects.toThrow(/cannot be a cluster's name/);
  });

  it("refuses authorities that are damaged, and says nothing of their keys", async () => {
    await place.open();
    const user = (await place.store.get("cert_authority", "user"))!;
    const host = (await place.store.get("cert_authority", "host"))!;
    const put = (item: typeof user, changes: { value?: string; secret?: string | undefined }) =>
      place.store.transact([{ op: "put", kind: "cert_authority", name: item.name, value: item.value, secret: item.secret, ...changes }]);
    for (const changes of [{ secret: host.secret }, { secret: undefined }, { secret: "{}" }, { secret: `{"hush":1` }, { value: host.value }, { value: "{" }, { value: user.value.replace("ssh-ed25519 AAAA", "ssh-ed25519 BBBB") }]) {
      await put(user, changes);
      const error = await place.open().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(GatehouseError);
      expect(error).toMatchObject({ code: "internal", message: expect.stringContaining('authority "user" cannot be used') as string });
      expect(`${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toMatch(/PRIVATE KEY-----|hush/);
    }
    await put(user, {});
    await place.open();
    await place.store.transact([{ op: "delete", kind: "cert_authority", name: "openssh" }]);
    await expect(place.open()).rejects.toThrow(/not openssh/);
  });
});

describe("exportAuthority", () => {
  it("writes the lines that files of each kind take", async () => {
    const authorities = await place.open();
    const [user, openssh, host] = (["user", "openssh", "host"] as const).map((kind) => authorities.trust(kind));
    expect(exportAuthority(user!).ssh).toEqual([`cert-authority ${user!.sshKeys[0]!} clustername=example&type=user`]);
    expect(exportAuthority(openssh!).ssh).toEqual([`${openssh!.sshKeys[0]!} clustername=example&type=openssh`]);
    expect(exportAuthority(host!).ssh).toEqual([`@cert-authority *.example ${host!.sshKeys[0]!} type=host`]);
    expect(exportAuthority(host!, ["ana", "a b"]).ssh).toEqual([`@cert-authority *.example ${host!.sshKeys[0]!} logins=ana&logins=a+b&type=host`]);
    expect(exportAuthority(host!)).toMatchObject({ tls: host!.tlsCertificates, fingerprints: [sshFingerprint(blobs(authorities, "host")[0]!)] });
  });
});
