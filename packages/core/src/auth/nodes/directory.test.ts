import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Resource } from "../../resources/index.ts";
import { localAdmin, openAuthWorld, type AuthWorld } from "../testing/index.ts";

describe("the directory of hosts", () => {
  let world: AuthWorld;
  beforeEach(async () => {
    world = await openAuthWorld({ gatewayNames: () => ["gate.example.com", "Gate"] });
  });
  afterEach(() => world.close());

  const put = (name: string, spec: Record<string, unknown>, labels: Record<string, string> = {}): Promise<Resource> => world.put({ kind: "node", version: "v2", metadata: { name, labels }, spec });
  const found = (target: string, port?: number): string => {
    const resolution = world.auth.nodes.resolve(target, port);
    return resolution.outcome === "found" ? resolution.node.id : resolution.outcome === "none" ? "none" : `${String(resolution.count)}: ${resolution.names.join(" ")}`;
  };

  it("finds a host by id, name, address and labels", async () => {
    await put("id-1", { addr: "10.0.0.5:22", hostname: "web-1" }, { env: "prod", tier: "web" });
    await put("id-2", { addr: "10.0.0.6:2222", hostname: "web-2.corp" }, { env: "prod" });
    await put("id-3", { addr: "[fd00::5]:22", hostname: "db" }, { env: "test", expr: "a=b" });
    expect(["id-1", "web-1", "WEB-1", "web-1.example", "id-1.example", "web-1.example.", "10.0.0.5", "tier=web", "env=prod,tier=web", " env = prod , tier=web "].map((target) => found(target))).toEqual(Array(10).fill("id-1"));
    expect(["web-2.corp", "web-2.corp.example", "10.0.0.6"].map((target) => found(target))).toEqual(Array(3).fill("id-2"));
    expect(["fd00::5", "[fd00::5]", "env=test", "expr=a=b"].map((target) => found(target))).toEqual(Array(4).fill("id-3"));
    expect(found("env=prod")).toBe("2: web-1 web-2.corp");
    expect(["", "web", "web-2", "10.0.0.7", "env=", "=prod", "env=prod,", "nothing=here", "*", "x".repeat(5000), "example", "__proto__=x"].map((target) => found(target))).toEqual(Array(12).fill("none"));
    expect(world.auth.nodes.get("id-3")).toEqual({ id: "id-3", hostname: "db", addr: { host: "fd00::5", port: 22 }, labels: { env: "test", expr: "a=b" } });
  });

  it("holds a port that somebody asked for to the host's", async () => {
    await put("a", { addr: "10.0.0.5:2222" });
    await put("b", { addr: "10.0.0.5:22" });
    await put("c", { addr: "10.0.0.9:2200" });
    expect([found("a"), found("a", 0), found("a", 22), found("a", 2222), found("a", 2200)]).toEqual(["a", "a", "a", "a", "none"]);
    expect([found("10.0.0.5"), found("10.0.0.5", 22), found("10.0.0.5", 2222), found("10.0.0.5", 2200)]).toEqual(["2: a b", "b", "a", "none"]);
    expect([found("10.0.0.9", 22), found("10.0.0.9", 23)]).toEqual(["c", "none"]);
  });

  it("follows what is stored, on every gateway", async () => {
    const other = await world.another();
    let told = 0;
    const stop = other.nodes.onChange(() => (told += 1));
    await put("id-1", { addr: "10.0.0.5" });
    await expect.poll(() => other.nodes.get("id-1")?.addr.host).toBe("10.0.0.5");
    await put("id-1", { addr: "10.0.0.6" });
    await expect.poll(() => other.nodes.resolve("10.0.0.6").outcome).toBe("found");
    await world.auth.admin.remove(localAdmin, { kind: "node", name: "id-1" });
    await expect.poll(() => other.nodes.list().length).toBe(0);
    expect(told).toBeGreaterThanOrEqual(3);
    stop();
    await other.close();
  });

  it("gives a name and a key to one host alone, until that is gone", async () => {
    const key = `SHA256:${"A".repeat(43)}`;
    await put("id-1", { addr: "10.0.0.5", hostname: "web-1", host_key: key });
    await expect(put("id-2", { addr: "10.0.0.6", hostname: "web-1" })).rejects.toMatchObject({ code: "already_exists", message: 'the name "web-1" is that of node "web-1" (id-1)', hint: "if that host is gone: tctl nodes rm id-1" });
    await expect(put("web-1", { addr: "10.0.0.6", hostname: "web-2" })).rejects.toThrow(/the name "web-1"/);
    await expect(put("id-2", { addr: "10.0.0.6", hostname: "id-1" })).rejects.toThrow(/the name "id-1"/);
    await expect(put("id-2", { addr: "10.0.0.6", host_key: key })).rejects.toThrow(/the host key SHA256:A+ is that of/);
    await put("id-1", { addr: "10.0.0.5", hostname: "web-9" });
    await put("id-2", { addr: "10.0.0.6", hostname: "web-1", host_key: key });
    await world.auth.admin.remove(localAdmin, { kind: "node", name: "id-2" });
    await put("id-3", { addr: "10.0.0.6", hostname: "web-1", host_key: key });
  });

  it("frees what a host had that ended by itself", async () => {
    const expires = new Date(world.clock.now() + 60_000).toISOString();
    await world.put({ kind: "node", version: "v2", metadata: { name: "id-1", expires }, spec: { addr: "h", hostname: "web-1" } });
    world.clock.advance(61_000);
    await put("id-2", { addr: "h", hostname: "web-1" });
  });

  it.each(["example", "web.example", "gate", "gate.example.com", "localhost", "x.localhost", "abc.teleport.cluster.local", "teleport.cluster.local"])("lets no host be called %s", async (name) => {
    await expect(put(name, { addr: "h" })).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining(`no host may be called "${name}"`) as string });
    await expect(put("id", { addr: "h", hostname: name })).rejects.toThrow(/no host may be called/);
  });
});
