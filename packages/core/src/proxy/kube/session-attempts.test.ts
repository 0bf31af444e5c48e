import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSessionPlace, exec, memoryDisk } from "./test-sessions.ts";
import type { SessionPlace } from "./test-sessions.ts";

let place: SessionPlace;
beforeEach(async () => {
  place = await createSessionPlace();
});
afterEach(() => place.remove());

describe("two attempts at one stream", () => {
  it("of which neither can be recorded are one denial, with the command", async () => {
    // As Node says it: with the path, which has the session's id in it.
    const path = (): string => `/data/${String(Math.random())}.live`;
    await place.open("strict", { create: () => Promise.reject(new Error(`EROFS: read-only file system, open '${path()}'`)) });
    const first = await place.ask("websocket");
    await once(first.socket, "close");
    const second = await place.ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(place.named("kube.denied")).toMatchObject([{ id, kubernetes_pod: "a", kubernetes_container: "main", command: "sh -c" }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    expect(first.text()).toMatch(/cannot be recorded: EROFS: read-only file system, and must be/);
  });

  it("of which both are one session too many are one denial, with the command", async () => {
    await place.open("off", undefined, undefined, { maxSessions: 1 });
    const server = place.accepting();
    const running = await place.ask();
    await server;
    await vi.waitFor(() => expect(running.text()).toContain(" 101 "));
    const first = await place.ask("websocket");
    await once(first.socket, "close");
    const second = await place.ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(place.named("kube.denied")).toMatchObject([{ id, command: "sh -c", reason: expect.stringContaining("max_sessions") as string }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    running.socket.destroy();
  });

  it("of which the second runs leave no denial for another to be told", async () => {
    let full = true;
    await place.open("strict", memoryDisk(() => (full ? Promise.reject(new Error("ENOSPC: no space left on device")) : Promise.resolve())));
    const refused = async (upgrade: string): Promise<void> => {
      const stream = await place.ask(upgrade);
      await once(stream.socket, "close");
    };
    await refused("websocket");
    full = false;
    await refused("SPDY/3.1");
    full = true;
    await refused("SPDY/3.1");
    expect(place.named("kube.denied")).toHaveLength(2);
  });

  it("at a very long command are told apart: it is not remembered", async () => {
    await place.open("off");
    place.world.groups.set("ana", []);
    for (const upgrade of ["websocket", "SPDY/3.1"]) {
      const stream = await place.ask(upgrade, `${exec}&command=${"x".repeat(16 * 1024)}`);
      await once(stream.socket, "close");
    }
    expect(place.named("kube.denied")).toHaveLength(2);
  });

  it("are one denial under one id", async () => {
    await place.open("off");
    place.world.groups.set("ana", []);
    const first = await place.ask("websocket");
    await once(first.socket, "close");
    const second = await place.ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(place.named("kube.denied")).toMatchObject([{ id }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    const third = await place.ask("SPDY/3.1");
    await once(third.socket, "close");
    expect(place.named("kube.denied")).toHaveLength(2);
  });
});
