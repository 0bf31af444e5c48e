import { readFile, stat, writeFile } from "node:fs/promises";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { manualClock } from "@gatehouse/core/base";
import { startTestGateway, startTestProxy, TestLogin } from "./test-gateway.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

it("the kubeconfig of a proxy that runs for days gets new certificates, and keeps what was selected in it", async () => {
  const gateway = await startTestGateway();
  const clock = manualClock(Date.now() - 26 * 3_600_000);
  const world = await startTestProxy(gateway, new TestLogin(gateway.login("ana")), { clock });
  const path = world.proxy.kubeconfig!;
  const first = await readFile(path, "utf8");
  await writeFile(path, first.replace("current-context: ex", "current-context: another"), { mode: 0o600 });
  vi.advanceTimersByTime(3_600_000);
  clock.advance(25 * 3_600_000);
  vi.advanceTimersByTime(600_000);
  const field = (text: string, name: string): string => Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)?.[1] ?? "", "base64").toString();
  await vi.waitFor(async () => expect(field(await readFile(path, "utf8"), "client-key-data")).not.toBe(field(first, "client-key-data")));
  const now = await readFile(path, "utf8");
  const [before, after] = [first, now].map((text) => new X509Certificate(field(text, "client-certificate-data")));
  expect(Date.parse(after!.validTo) - Date.parse(before!.validTo)).toBe(25 * 3_600_000);
  expect(after!.checkPrivateKey(createPrivateKey(field(now, "client-key-data")))).toBe(true);
  expect(now).toContain("current-context: another");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  // A tool that read it at first goes on.
  expect((await world.ask("/api")).status).toBe(200);
  await world.close();
  await gateway.kill();
});
