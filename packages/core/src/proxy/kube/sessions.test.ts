import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { killRequest } from "../../api/index.ts";
import { escapeLine } from "../../base/index.ts";
import { createSessionPlace, exec, frame, memoryDisk, success } from "./test-sessions.ts";
import type { SessionPlace } from "./test-sessions.ts";

let place: SessionPlace;
beforeEach(async () => {
  place = await createSessionPlace();
});
afterEach(() => place.remove());

describe("a session", () => {
  it("has its beginning and its end in the log, and a recording", async () => {
    await place.open("strict");
    const server = place.accepting();
    const stream = await place.ask();
    const upstream = await server;
    upstream.write(Buffer.concat([frame("\x01hello"), frame("\x02oops")]));
    await vi.waitFor(() => expect(stream.text()).toContain("oops"));
    const [live] = place.world.sessions.list();
    expect(live).toMatchObject({ kind: "exec", user: "ana", namespace: "web", pod: "a", container: "main", command: ["sh", "-c"], recording: expect.any(Number) as number });
    upstream.end(frame(success));
    await once(stream.socket, "close");
    await vi.waitFor(() => expect(place.named("session.end")).toHaveLength(1));
    const sid = live!.sid;
    expect(place.named("session.start")).toMatchObject([{ sid, recorded: true, kubernetes_pod: "a", command: "sh -c" }]);
    expect(place.named("exec")).toMatchObject([{ sid }]);
    expect(place.named("session.end")).toMatchObject([{ sid, exit_code: 0, reason: "the command ended with exit code 0", recording: { complete: true } }]);
    await vi.waitFor(async () => expect(await place.files()).toEqual([`${sid}.rec`]));
    expect(place.world.sessions.list()).toEqual([]);
  });

  it("that must be recorded and cannot be is refused before the API server is asked", async () => {
    await place.open("strict", memoryDisk(() => Promise.reject(new Error("ENOSPC: no space left on device"))));
    const stream = await place.ask("SPDY/3.1");
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*no space left/);
    expect(place.world.arrived.filter(({ url }) => url?.includes("exec"))).toEqual([]);
    expect(place.named("kube.denied")).toMatchObject([{ kubernetes_namespace: "web", kubernetes_pod: "a", kubernetes_container: "main", command: "sh -c" }]);
    expect(place.named("session.start")).toEqual([]);
  });

  it("that may have gaps goes on without a recording, and says so", async () => {
    await place.open("best_effort", memoryDisk(() => Promise.reject(new Error("EROFS: read-only file system"))));
    const server = place.accepting();
    const stream = await place.ask();
    (await server).end(Buffer.concat([frame("\x01hello"), frame(success)]));
    await once(stream.socket, "close");
    expect(stream.text()).toContain("hello");
    await vi.waitFor(() => expect(place.named("session.end")).toMatchObject([{ exit_code: 0 }]));
    expect(place.named("session.gap")).toMatchObject([{ code: "G2003W", error: expect.stringContaining("read-only") as string }]);
    expect(place.named("session.start")).toMatchObject([{ recorded: false }]);
  });

  it.each([
    ["the one that is named", exec, [{ name: "sidecar", image: "s:1" }, { name: "main", image: "registry.example.com/web:7" }], { kubernetes_container: "main", image: "registry.example.com/web:7" }],
    ["the only one where none is named", exec.replace("&container=main", ""), [{ name: "web", image: "web:7" }], { kubernetes_container: "web", image: "web:7" }],
    ["none where none of several is named", exec.replace("&container=main", ""), [{ name: "a", image: "a:1" }, { name: "b", image: "b:1" }], { kubernetes_container: "", image: undefined }],
    ["no image where the pod may not be seen", exec, undefined, { kubernetes_container: "main", image: undefined }],
  ])("says in which container and image it runs: %s", async (_, path, containers, expected) => {
    await place.open("strict");
    place.world.answer = (_request, response) => (containers === undefined ? response.writeHead(403).end("{}") : response.end(JSON.stringify({ kind: "Pod", spec: { containers } })));
    const server = place.accepting();
    await place.ask("websocket", path);
    (await server).destroy();
    await vi.waitFor(() => expect(place.named("session.start")).toMatchObject([expected]));
    const [look] = place.world.arrived;
    expect([look?.url, look?.headersDistinct["impersonate-user"], look?.headersDistinct["impersonate-group"]]).toEqual(["/api/v1/namespaces/web/pods/a", ["ana"], ["developers", "viewers", "system:authenticated"]]);
  });

  it("begins though nobody says in which container it runs", async () => {
    await place.open("strict");
    place.world.answer = () => undefined;
    const server = place.accepting();
    await place.ask();
    (await server).destroy();
    await vi.waitFor(() => expect(place.named("session.start")).toMatchObject([{ kubernetes_container: "main" }]));
  });

  it("is not recorded where recording is off, and is a session all the same", async () => {
    await place.open("off");
    const server = place.accepting();
    const stream = await place.ask();
    (await server).end(frame(success));
    await once(stream.socket, "close");
    await vi.waitFor(() => expect(place.named("session.end")).toMatchObject([{ exit_code: 0 }]));
    await expect(place.files()).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("in streams that nobody can read runs only where there may be gaps", async () => {
    await place.open("strict");
    place.accepting("secret.k8s.io").catch(() => undefined);
    const stream = await place.ask();
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 502 [\s\S]*cannot be recorded/);
    await vi.waitFor(async () => expect(await place.files()).toEqual([]));
  });

  it("ends with a message when it is killed, and is told to be", async () => {
    await place.open("strict");
    const server = place.accepting();
    const stream = await place.ask();
    (await server).write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    place.world.sessions.kill(place.world.sessions.list()[0]!.sid, "ended by bo");
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/"message":"ended by bo"/);
    await vi.waitFor(() => expect(place.named("session.end")).toMatchObject([{ reason: "ended by bo" }]));
    expect(() => place.world.sessions.kill("none", "x")).toThrow(expect.objectContaining({ code: "not_found" }) as Error);
  });
});

describe("a node's own API", () => {
  const commands = [
    "/api/v1/nodes/n/proxy/run/default/a/main?cmd=id", "/api/v1/nodes/n/proxy/exec/default/a/main?command=id", "/api/v1/nodes/n:10250/proxy/attach/default/a/main", "/api/v1/nodes/n/proxy/portForward/default/a",
    "/api/v1/nodes/https:n:10250/proxy/cri/exec/token", "/api/v1/nodes/n/proxy/%72un/default/a/main?cmd=id", "/api/v1/proxy/nodes/n/run/default/a/main", "/api/v1/watch/nodes/n/proxy/exec/a", "/api/v1/namespaces/web/nodes/n/proxy/run/a",
  ];

  it.each(["strict", "best_effort"] as const)("runs no command and carries no stream that would not be recorded (%s)", async (mode) => {
    await place.open(mode, undefined, undefined, { nodeProxy: true });
    for (const path of commands) {
      const answer = await place.world.send("ana", path, { method: "POST" });
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.body).toMatch(/would not be recorded; use kubectl exec/);
    }
    const upgrade = await place.ask("websocket", "/api/v1/nodes/n/proxy/some/stream");
    await once(upgrade.socket, "close");
    expect(upgrade.text()).toMatch(/^HTTP\/1\.1 403 /);
    expect(place.world.arrived).toEqual([]);
    expect(place.named("kube.denied")).toHaveLength(commands.length + 1);
    for (const path of ["/api/v1/nodes/n/proxy/runningpods/", "/api/v1/nodes/n/proxy/containerLogs/default/a/main", "/api/v1/nodes/n/proxy/logs/run", "/api/v1/nodes/n/proxy"]) expect((await place.world.send("ana", path)).status).toBe(200);
  });

  it("is what a role lets pass where nothing is recorded", async () => {
    await place.open("off", undefined, undefined, { nodeProxy: true });
    for (const path of commands) expect((await place.world.send("ana", path, { method: "POST" })).status).toBe(200);
  });
});

describe("what a killed session's person reads", () => {
  const evil = "by ana: \u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b2J\u202e";

  it("has no characters that act on their terminal, whoever wrote it", async () => {
    await place.open("off");
    const server = place.accepting();
    const stream = await place.ask();
    (await server).write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    place.world.sessions.kill(place.world.sessions.list()[0]!.sid, evil);
    await once(stream.socket, "close");
    const message = /"message":("(?:[^"\\]|\\.)*")/.exec(stream.text())?.[1] ?? "";
    expect(JSON.parse(message)).toBe(escapeLine(evil));
    // Nor does an administrator's client get so far.
    expect(killRequest.safeParse({ message: "the incident is over, see you" }).success).toBe(true);
    for (const message of [evil, "\u001b[2J", "a\u0000", "two\nlines", "a\rb", "\u202e"]) expect(killRequest.safeParse({ message }).success).toBe(false);
  });
});
