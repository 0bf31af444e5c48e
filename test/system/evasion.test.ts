import { openSync, readSync, closeSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { KubeUpstream } from "@gatehouse/core/proxy/kube";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { evasions, requestBytes, sendRaw } from "../support/evasion.ts";
import type { Evasion } from "../support/evasion.ts";
import { startFixedGateway } from "../support/fixed-gateway.ts";
import type { ClientCredentials, FixedGateway } from "../support/fixed-gateway.ts";
import { wholeLines } from "../support/lines.ts";
import { readKubeconfig } from "../support/kube-relay.ts";
import { startRecordingUpstream } from "../support/recording-upstream.ts";
import type { Arrived, RecordingUpstream } from "../support/recording-upstream.ts";

const corpus = evasions();
const people = { ana: ["developers"], nobody: [], stranger: ["developers"] };
const hour = 3_600_000;
const serverLimits = { headersTimeout: 3000 };

/** Credentials for every `as` of the corpus, made once. */
async function wardrobe(gateway: FixedGateway, upstream: ClientCredentials): Promise<(as: Evasion["as"]) => ClientCredentials | undefined> {
  const made = new Map<string, ClientCredentials | undefined>([
    ["ana", await gateway.credentials("ana")],
    ["nobody", await gateway.credentials("nobody")],
    ["stranger", await gateway.credentials("stranger")],
    ["none", undefined],
    ["expired", await gateway.credentials("ana", { ageMs: 2 * hour, ttl: hour })],
    ["future", await gateway.credentials("ana", { ageMs: -24 * hour })],
    ["foreign", createTestAuthority("example").client("ana")],
    ["host", await gateway.hostCredentials()],
    ["upstream", upstream],
  ]);
  gateway.remove("stranger");
  return (as) => {
    const name = typeof as === "string" ? as : as.certificate;
    if (!made.has(name)) throw new Error(`nobody is "${name}"`);
    return made.get(name);
  };
}

function upstreamOf(url: string, ca: string, certificate: ClientCredentials): KubeUpstream {
  return { name: "real", labels: {}, url, ca, insecureSkipTlsVerify: false, serverName: undefined, certificate, token: undefined };
}

async function send(gateway: FixedGateway, dress: Awaited<ReturnType<typeof wardrobe>>, evasion: Evasion, agent: string) {
  const { status } = evasion.expect;
  const answers = Array.isArray(status) ? status.length : 1;
  return sendRaw({ port: gateway.port, ca: gateway.ca, credentials: dress(evasion.as), servername: evasion.sni }, requestBytes(evasion.request, agent), answers);
}

const statusList = (status: Evasion["expect"]["status"]): readonly number[] => (status === "closed" ? [] : typeof status === "number" ? [status] : status);

/** What holds for whatever reaches an API server through the gateway. */
function expectClean({ headers, trailers }: Arrived): void {
  const named = (test: (name: string) => boolean): string[] => headers.filter(([name]) => test(name.replaceAll("_", "-"))).map(([name]) => name);
  expect(named((name) => name === "impersonate-user")).toEqual(["impersonate-user"]);
  expect(named((name) => name.startsWith("impersonate") && name !== "impersonate-user" && name !== "impersonate-group")).toEqual([]);
  expect(named((name) => name.includes("authorization") || name.startsWith("x-remote") || name === "te" || name === "trailer")).toEqual([]);
  expect(headers.filter(([, value]) => /bearer/i.test(value))).toEqual([]);
  expect(headers.filter(([name, value]) => name === "connection" && !/^(?:keep-alive|close|upgrade)$/i.test(value))).toEqual([]);
  expect(headers.filter(([name]) => name === "host")).toHaveLength(1);
  expect(trailers).toEqual([]);
}

describe("ways around the gateway, with an API server that believes everything", () => {
  let upstream: RecordingUpstream;
  let gateway: FixedGateway;
  let dress: Awaited<ReturnType<typeof wardrobe>>;
  beforeAll(async () => {
    upstream = await startRecordingUpstream();
    gateway = await startFixedGateway({ clusters: [upstreamOf(upstream.url, upstream.ca, upstream.client)], people, serverLimits });
    dress = await wardrobe(gateway, upstream.client);
  });
  afterAll(async () => {
    await gateway.close();
    upstream.close();
  });

  it.each(corpus.map((evasion) => [evasion.name, evasion.what, evasion] as const))("%s: %s", async (_, __, evasion) => {
    upstream.arrived.length = 0;
    const { statuses, text } = await send(gateway, dress, evasion, "evasion");
    const wanted = evasion.expect.upstream;
    expect([statuses, upstream.arrived.length], text).toEqual([statusList(evasion.expect.status), wanted === "never" ? 0 : 1]);
    const refused = statuses.length > 0 && wanted === "never";
    if (refused) expect(text).toMatch(/"kind":"Status"[^]*"status":"Failure"/);
    if (wanted === "never") return;
    const arrived = upstream.arrived[0]!;
    expectClean(arrived);
    const values = (name: string): string[] => arrived.headers.filter(([other]) => other === name).map(([, value]) => value);
    expect(values("impersonate-user")).toEqual([wanted.user]);
    expect(values("impersonate-group").sort()).toEqual([...wanted.groups].sort());
    for (const [name, value] of Object.entries(wanted.has ?? {})) expect([name, ...values(name)]).toEqual([name, value]);
    for (const name of wanted.lacks ?? []) expect([name, ...values(name)]).toEqual([name]);
    if (wanted.target !== undefined) expect(arrived.target).toBe(wanted.target);
  });
});

const cluster = realCluster();

describe.skipIf(cluster === undefined)(cluster === undefined ? `ways around: ${howToGetACluster}` : "ways around the gateway, with a real API server", () => {
  interface Seen {
    readonly userAgent?: string;
    readonly user: { readonly username: string };
    readonly impersonatedUser?: { readonly username: string; readonly groups?: readonly string[] };
    readonly requestURI: string;
  }
  const run = `evasion-${String(process.pid)}-${String(Date.now())}`;
  const answers = new Map<string, { readonly statuses: readonly number[]; readonly text: string }>();
  let seen: readonly Seen[] = [];
  let gateway: FixedGateway | undefined;
  const auditLog = cluster === undefined ? "" : join(dirname(cluster.gatewayKubeconfig), "log/audit.jsonl");

  /** Events that the API server wrote from a place in its log on. */
  function eventsFrom(start: number): Seen[] {
    const bytes = Buffer.alloc(statSync(auditLog).size - start);
    const file = openSync(auditLog, "r");
    readSync(file, bytes, 0, bytes.length, start);
    closeSync(file);
    return wholeLines(bytes.toString())
      .filter((line) => line.includes(run))
      .map((line) => JSON.parse(line) as Seen);
  }

  beforeAll(async () => {
    const { server, ca, cert, key } = readKubeconfig(cluster!.gatewayKubeconfig);
    gateway = await startFixedGateway({ clusters: [upstreamOf(server.href, ca, { cert, key })], people, serverLimits });
    const dress = await wardrobe(gateway, { cert, key });
    const start = statSync(auditLog).size;
    for (const evasion of corpus) answers.set(evasion.name, await send(gateway, dress, evasion, `${run}/${evasion.name}/`));
    // The log is in order: when this one is in it, all before it are.
    const last = corpus.find(({ name }) => name === "impersonate-self")!;
    await send(gateway, dress, last, `${run}/last/`);
    await vi.waitFor(() => expect((seen = eventsFrom(start)).some(({ userAgent }) => userAgent?.includes("/last/"))).toBe(true));
  });
  afterAll(async () => gateway?.close());

  it.each(corpus.map((evasion) => [evasion.name, evasion.what, evasion] as const))("%s: %s", (_, __, evasion) => {
    const { statuses, text } = answers.get(evasion.name)!;
    const { status, real, upstream } = evasion.expect;
    if (real === undefined) expect(statuses, text).toEqual(statusList(status));
    else expect([real].flat(), text).toContain(statuses[0]);
    const events = seen.filter(({ userAgent }) => userAgent?.includes(`/${evasion.name}/`));
    if (upstream === "never") {
      expect(events).toEqual([]);
      return;
    }
    expect(events.length).toBeGreaterThan(0);
    for (const { impersonatedUser } of events) {
      expect([impersonatedUser?.username, [...(impersonatedUser?.groups ?? [])].sort()]).toEqual([upstream.user, [...upstream.groups].sort()]);
    }
  });

  it("nothing reached the API server that no case accounts for", () => {
    const accounted = new Set([...corpus.filter(({ expect: { upstream } }) => upstream !== "never").map(({ name }) => name), "last"]);
    expect(seen.filter(({ userAgent = "" }) => !accounted.has(userAgent.split("/")[1] ?? ""))).toEqual([]);
  });
});
