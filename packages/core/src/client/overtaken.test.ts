import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adminServerName } from "../api/index.ts";
import { systemClock } from "../base/index.ts";
import { clientHome, openLogins, type ClientHome, type LoginRecord } from "./lean/index.ts";
import { logout } from "./logout.ts";
import { changeHome, readProfile, selectProfile, writeProfile, type Profile } from "./profiles.ts";
import { resumeLogin } from "./resume.ts";
import { loginAnswer, newAuthority, newUserKey, serverPair, startTlsServer, type TestServer } from "./testing.ts";
import { verifyLogin } from "./verify.ts";

let folder: string;
let home: ClientHome;
let server: TestServer;
let name: string;
/** What happens while the gateway is asked the first time. */
let meanwhile: () => Promise<void>;

const authority = newAuthority();
const key = newUserKey();
const env = (): Record<string, string> => ({ HOME: folder, KUBECONFIG: join(folder, "kubeconfig"), TSH_AGENT: "off" });
const whoami = { username: "ana", cluster: "example", roles: ["dev"], logins: ["ana"], expires: 0, kubernetes: { enabled: false, clusters: [] } };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-overtaken-"));
  home = clientHome({ HOME: folder });
  meanwhile = () => Promise.resolve();
  server = await startTlsServer(serverPair(authority, { dnsNames: [adminServerName("example")] }), [], {}, (request, response) => {
    const work = meanwhile;
    meanwhile = () => Promise.resolve();
    work().then(
      () => response.setHeader("content-type", "application/json").end(JSON.stringify(request.method === "GET" ? whoami : {})),
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    );
  });
  name = `127.0.0.1_${server.address.port}`;
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function newRecord(): LoginRecord {
  const now = Date.now();
  const answer = loginAnswer({ key: key.privateKey, hostCertificates: [authority.certificate] });
  return verifyLogin(answer, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: server.address.text, user: undefined, now, gatewayNow: now });
}
const logins = () => openLogins(home, "file", env());

/** As a login or a renewal leaves it. */
async function store(record: LoginRecord, profile: Partial<Profile> = {}): Promise<Profile> {
  const stored = { web_proxy_addr: record.proxy, user: "ana", auth_type: "local", cluster: "example", keystore: "file" as const, valid_until: new Date(record.expires).toISOString(), ...profile };
  await changeHome(home, async () => {
    await logins().write(name, record);
    await writeProfile(home, name, stored);
    await selectProfile(home, name);
  });
  return stored;
}

describe("a login that is renewed or made anew while another command works with it", () => {
  it("stays where that command goes on with a stored login", async () => {
    await store(newRecord());
    const renewed = newRecord();
    meanwhile = async () => {
      await store(renewed);
    };
    const resumed = await resumeLogin(
      { proxy: server.address.text, auth: undefined, user: undefined, caPin: undefined, keystore: undefined, embed: false },
      { env: env(), clock: systemClock, program: { node: process.execPath, script: "tsh" }, notice: () => undefined },
    );
    expect(resumed?.record.tlsCertificate).toBe(renewed.tlsCertificate);
    expect((await logins().read(name))?.tlsCertificate).toBe(renewed.tlsCertificate);
    expect((await readProfile(home, name))?.roles).toEqual(["dev"]);
  });

  it("is ended like the one before it where that command logs out, and what it changed in the profile stays", async () => {
    const profile = await store(newRecord());
    meanwhile = async () => {
      await store(newRecord(), { auth_type: "github" });
    };
    expect(await logout(home, env(), name, profile, Date.now())).toMatchObject({ wasLoggedIn: true, unreached: undefined });
    expect(server.requests).toEqual(["DELETE /gatehouse/v1/session", "DELETE /gatehouse/v1/session"]);
    expect(await logins().read(name)).toBeUndefined();
    const left = await readProfile(home, name);
    expect(left?.auth_type).toBe("github");
    expect(left?.keystore).toBeUndefined();
  });
});
