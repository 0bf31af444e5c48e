import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { IncomingMessage, request as httpRequest } from "node:http";
import { Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildRoleSet } from "../../access/index.ts";
import type { AuthService, Identity } from "../../auth/index.ts";
import { GatehouseError, systemRandom } from "../../base/index.ts";
import type { Authorities, CertificateIdentity } from "../../ca/index.ts";
import { parseResource, type Role } from "../../resources/index.ts";
import { certificateCallers, localCaller, openAdminSocket, writeNonce, type KubeView } from "./index.ts";
import { whoami } from "./whoami.ts";

const certificate: CertificateIdentity = {
  username: "ana",
  roles: ["access"],
  logins: [],
  traits: {},
  usage: [],
  clusterName: "example",
  subjectId: "local:1",
  sessionId: "s1",
  generation: 1,
  serial: "1",
  notBefore: 0,
  notAfter: 1,
};

function roles(...specs: Record<string, unknown>[]): readonly Role[] {
  return specs.map((spec, index) => parseResource({ kind: "role", version: "v3", metadata: { name: `role-${index}` }, spec }) as Role);
}

const identity: Identity = { username: "ana", subjectId: "local:1", sessionId: "s1", traits: {}, roles: buildRoleSet([], {}), expires: 1 };

/** A request on a TLS connection that presents (or does not present) a certificate. */
function requestWith(presented: { raw: Buffer } | undefined, socket = new TLSSocket(new Socket())): IncomingMessage {
  Object.assign(socket, { getPeerX509Certificate: () => presented });
  return new IncomingMessage(socket);
}

describe("callers by certificate", () => {
  const never = (): never => {
    throw new Error("not part of this test");
  };
  const gatekeeper = (identify: () => Identity): AuthService["gatekeeper"] => ({
    identify,
    kube: never,
    node: never,
    sessionLock: never,
    generation: 0,
    onChange: () => () => undefined,
  });
  function authorities(identifyUser: Authorities["identifyUser"]): Authorities {
    const missing = (): never => {
      throw new Error("not part of this test");
    };
    return { clusterName: "example", caPin: "", trust: missing, issueUser: missing, issueConnection: missing, issueHost: missing, issueSshHost: missing, identifyUser, identifySshUser: missing };
  }

  it("are verified once a connection, and asked of the gatekeeper at every request", () => {
    const calls = { verified: 0, identified: 0 };
    const callerOf = certificateCallers(
      authorities(() => {
        calls.verified += 1;
        return certificate;
      }),
      gatekeeper(() => {
        calls.identified += 1;
        return identity;
      }),
    );
    const socket = new TLSSocket(new Socket());
    for (let request = 0; request < 3; request++) {
      expect(callerOf(requestWith({ raw: Buffer.from("der") }, socket))).toEqual({ type: "person", identity });
    }
    expect(calls).toEqual({ verified: 1, identified: 3 });
  });

  it("are refused without a certificate, with one for another use, and on a plain connection", () => {
    const restricted = certificateCallers(authorities(() => ({ ...certificate, usage: ["usage:kube"] })), gatekeeper(() => identity));
    expect(() => restricted(requestWith(undefined))).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
    expect(() => restricted(requestWith({ raw: Buffer.from("der") }))).toThrow(expect.objectContaining({ code: "access_denied", message: expect.stringContaining("usage:kube") as string }) as Error);
    expect(() => restricted(new IncomingMessage(new Socket()))).toThrow(expect.objectContaining({ code: "internal" }) as Error);
  });

  it("are refused as soon as the gatekeeper refuses", () => {
    let gone = false;
    const callerOf = certificateCallers(
      authorities(() => certificate),
      gatekeeper(() => {
        if (gone) throw new GatehouseError("access_denied", "the user is gone");
        return identity;
      }),
    );
    const request = requestWith({ raw: Buffer.from("der") });
    callerOf(request);
    gone = true;
    expect(() => callerOf(request)).toThrow("the user is gone");
  });
});

describe("the local caller", () => {
  it.each([undefined, "", "Bearer ", "Bearer wrong", "bearer secret", "Bearer secret ", "Basic secret"])("is not whoever says %j", (authorization) => {
    const request = requestWith(undefined);
    if (authorization !== undefined) request.headers.authorization = authorization;
    expect(() => localCaller("secret")(request)).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
    request.headers.authorization = "Bearer secret";
    expect(localCaller("secret")(request)).toEqual({ type: "local-admin" });
  });
});

describe("whoami", () => {
  it("tells each cluster's groups, and why there are none where there are none", () => {
    const set = buildRoleSet(
      roles({ allow: { kubernetes_groups: ["viewers"], kubernetes_labels: { env: "staging" }, logins: ["ana"] } }, { deny: { kubernetes_groups: ["viewers"], kubernetes_labels: { env: "prod" } } }),
      {},
    );
    const auth = {
      clusterName: "example",
      gatekeeper: { identify: () => identity, kube: (person: Identity, target: Parameters<Identity["roles"]["kube"]>[0]) => person.roles.kube(target), node: () => ({ allowed: false, reasons: [] }), sessionLock: () => undefined, generation: 0, onChange: () => () => undefined },
    };
    const cluster = (name: string, env: string): KubeView["clusters"][number] => ({ target: { name, labels: { env } }, healthy: true, problem: undefined, summary: undefined });
    const view: KubeView = { enabled: true, publicAddr: "gw:3026", defaultCluster: undefined, clusters: [cluster("staging", "staging"), cluster("prod", "prod")], notes: [], streams: 0 };
    const me = whoami({ ...identity, roles: set }, auth, view);
    expect(me).toMatchObject({ username: "ana", roles: ["role-0", "role-1"], logins: ["ana"], kubernetes: { enabled: true, public_addr: "gw:3026" } });
    const [staging, prod] = me.kubernetes.clusters;
    expect(staging).toEqual({ name: "staging", server_name: expect.stringMatching(/^k[0-9a-f]+\.kube\./) as string, labels: { env: "staging" }, groups: ["viewers"], healthy: true });
    expect(prod).toMatchObject({ name: "prod", groups: [], refused: expect.stringMatching(/./) as string });
  });
});

describe("the admin socket", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "admin-socket-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const get = (): Promise<string> =>
    new Promise((resolve, reject) => {
      httpRequest({ socketPath: join(folder, "admin.sock"), path: "/" }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve(body));
      })
        .on("error", reject)
        .end();
    });

  it("takes the place of a dead gateway's, and of nothing else", async () => {
    const dead = createServer().listen(join(folder, "admin.sock"));
    await new Promise((resolve) => dead.once("listening", resolve));
    // A gateway that was killed leaves its socket's file behind.
    await writeFile(join(folder, "target"), "precious");
    const first = await openAdminSocket(folder, (_request, response) => response.end("hello"));
    expect(await get()).toBe("hello");
    await first.close();
    dead.close();
    await symlink(join(folder, "target"), join(folder, "admin.sock"));
    await expect(openAdminSocket(folder, (_request, response) => response.end())).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("is not a socket") as string });
  });

  it("says that a path is too long for a socket", async () => {
    await expect(openAdminSocket(join(folder, "x".repeat(100)), () => undefined)).rejects.toMatchObject({ code: "bad_parameter", hint: "choose a shorter data directory" });
  });

  it("has another nonce at every start", async () => {
    const first = await writeNonce(folder, systemRandom);
    const second = await writeNonce(folder, systemRandom);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(second).not.toBe(first);
  });
});
