import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { afterEach, describe, expect, it } from "vitest";
import { kubeServerName } from "../../api/index.ts";
import { createTestWorld, type TestWorld } from "./test-world.ts";
import type { ClusterDirectory, KubeCluster } from "./types.ts";

const pods = "/api/v1/namespaces/default/pods";
const problem = { summary: "the gateway could not get credentials for it", detail: "plugin /secret/path failed" };

/** A directory that the test changes. */
function createDirectory(): ClusterDirectory & { set(clusters: readonly KubeCluster[], defaultCluster?: string): void } {
  const listeners = new Set<() => void>();
  const state: { clusters: readonly KubeCluster[]; defaultCluster: string | undefined } = { clusters: [], defaultCluster: undefined };
  return {
    get clusters() {
      return state.clusters;
    },
    get defaultCluster() {
      return state.defaultCluster;
    },
    notes: [],
    onChange: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    close: () => Promise.resolve(),
    set(clusters, defaultCluster) {
      Object.assign(state, { clusters, defaultCluster });
      for (const listener of listeners) listener();
    },
  };
}

let world: TestWorld;
const directory = createDirectory();
const message = (body: string): string => (JSON.parse(body) as { message: string }).message;
const good = (name: string): KubeCluster => ({ name, labels: {}, upstream: { ...world.cluster, name }, problem: undefined });
const broken = (name: string): KubeCluster => ({ name, labels: {}, upstream: undefined, problem });

afterEach(() => world.close());

describe("clusters that change while the proxy runs", () => {
  it("one without credentials refuses with the reason, the others work, and it heals", async () => {
    world = await createTestWorld({ clusters: directory });
    directory.set([good("real"), broken("other")], "real");
    const other = { servername: kubeServerName("other") };
    expect((await world.send("ana", pods)).status).toBe(200);
    const refused = await world.send("ana", pods, other);
    expect(refused.status).toBe(503);
    expect(message(refused.body)).toMatch(/^Kubernetes cluster "other" cannot be used now: the gateway could not get credentials for it \(refusal /);
    expect(refused.body).not.toContain("/secret/path");
    // What is wrong with it is told to those who may use it.
    expect(message((await world.send("ed", pods, other)).body)).not.toContain("credentials");
    expect(await world.proxy.check("other")).toMatchObject({ ok: false, problem: problem.detail, summary: problem.summary });
    directory.set([good("real"), good("other")], "real");
    expect((await world.send("ana", pods, other)).status).toBe(200);
    expect(world.proxy.clusters.map(({ name }) => name)).toEqual(["real", "other"]);
  });

  it("one that is down is a 502 with the reason, and nobody else's", async () => {
    world = await createTestWorld({ clusters: directory });
    directory.set([good("real"), { name: "down", labels: {}, upstream: { ...world.cluster, name: "down", url: "https://127.0.0.1:1" }, problem: undefined }], "real");
    const down = await world.send("ana", pods, { servername: kubeServerName("down") });
    expect([down.status, message(down.body)]).toEqual([502, expect.stringMatching(/"down" could not be reached \(ECONNREFUSED\)/)]);
    expect(await world.proxy.check("down")).toMatchObject({ ok: false, problem: expect.stringContaining("127.0.0.1:1") as string, summary: "its API server cannot be reached (ECONNREFUSED)" });
    expect((await world.send("ana", pods)).status).toBe(200);
  });

  it("new credentials are used for what comes next, and what is under way goes on", async () => {
    world = await createTestWorld({ clusters: directory });
    const withToken = (token: string): KubeCluster => {
      const one = good("real");
      return { ...one, upstream: { ...world.cluster, token: { current: () => token, refresh: () => undefined, close: () => undefined } } };
    };
    directory.set([withToken("one")], "real");
    world.answer = (_request, response) => response.write("first ");
    const request = httpsRequest({ ...(await world.options("ana")), path: `${pods}?watch=true` });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const chunks: string[] = [];
    response.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
    await once(response, "data");
    const watch = world.arrived[0]!;
    world.answer = (_request, answer) => answer.end("ok");
    directory.set([withToken("two")], "real");
    await world.send("ana", pods);
    expect(world.arrived.map(({ headers }) => headers.authorization)).toEqual(["Bearer one", "Bearer two"]);
    expect(watch.socket.destroyed).toBe(false);
    request.destroy();
  });

  it("one that goes ends its streams with the reason, and is not found", async () => {
    world = await createTestWorld({ clusters: directory });
    directory.set([good("real"), good("other")]);
    world.answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).write("{}\n");
    const options = { ...(await world.options("ana", { servername: kubeServerName("other") })), path: `${pods}?watch=true` };
    const request = httpsRequest(options);
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    response.on("error", () => undefined);
    const ended = once(response, "end");
    await once(response, "data");
    directory.set([good("real")]);
    await ended;
    expect(text).toContain('Kubernetes cluster \\"other\\" is not served by this gateway any more');
    world.answer = (_request, answer) => answer.end("ok");
    const gone = await world.send("ana", pods, { servername: kubeServerName("other") });
    expect([gone.status, message(gone.body)]).toEqual([404, expect.stringContaining('there is no Kubernetes cluster "other" here')]);
    expect((await world.send("ana", pods)).status).toBe(200);
    const unnamed = await world.send("ana", pods, { servername: "localhost" });
    expect([unnamed.status, message(unnamed.body)]).toEqual([404, expect.stringContaining("none that is the default")]);
  });
});
