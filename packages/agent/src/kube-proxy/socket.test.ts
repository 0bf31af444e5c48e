import { chmod, link, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "@gatehouse/core/base";
import { startKubeProxy, type KubeProxy } from "./index.ts";
import { cluster, startTestGateway, TestLogin, type TestGateway } from "./test-gateway.ts";

let folder: string;
let gateway: TestGateway;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-socket-"));
  gateway = await startTestGateway();
});
afterEach(async () => {
  await gateway.kill();
  await rm(folder, { recursive: true, force: true });
});

const start = (socket: string): Promise<KubeProxy> => startKubeProxy({ clusters: [cluster], selected: "ex", gateway: gateway.address, login: new TestLogin(gateway.login("ana")), listen: { socket }, runs: join(folder, "kube"), clock: systemClock, random: systemRandom });

describe("a proxy on a socket", () => {
  it("serves plain HTTP to whoever can enter its folder, which its owner alone can", async () => {
    const path = join(folder, "own", "kube.sock");
    const proxy = await start(path);
    expect([proxy.address, proxy.kubeconfig, proxy.clusters[0]?.server]).toEqual([path, undefined, ""]);
    expect([(await stat(path)).mode & 0o777, (await stat(join(folder, "own"))).mode & 0o777]).toEqual([0o600, 0o700]);
    const [response] = (await once(request({ socketPath: path, path: "/api/v1/pods" }).end(), "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(gateway.asked).toMatchObject([{ user: "ana", url: "/api/v1/pods" }]);
    await expect(start(path)).rejects.toMatchObject({ code: "already_exists" });
    await proxy.close();
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes the place of one that a killed process has left, one of many that come at once", async () => {
    const path = join(folder, "kube.sock");
    const left = createServer().listen(path);
    await once(left, "listening");
    // Closed by hand, Node would remove it.
    const kept = join(folder, "kept.sock");
    await link(path, kept);
    left.close();
    await rename(kept, path);
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => start(path)));
    expect(outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [(outcome.reason as { readonly code: string }).code] : []))).toEqual(Array.from({ length: 3 }, () => "already_exists"));
    const [response] = (await once(request({ socketPath: path, path: "/api/v1/pods" }).end(), "response")) as [IncomingMessage];
    response.resume();
    for (const outcome of outcomes) if (outcome.status === "fulfilled") await outcome.value.close();
  });

  it("is refused in a folder that others can enter, and where something else stands", async () => {
    const open = join(folder, "open");
    await mkdir(open);
    await chmod(open, 0o755);
    await expect(start(join(open, "kube.sock"))).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining(`${open} is open to others (mode 755)`) as string });
    await symlink(folder, join(folder, "link"));
    await expect(start(join(folder, "link", "kube.sock"))).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("is no folder") as string });
    await writeFile(join(folder, "file.sock"), "");
    await expect(start(join(folder, "file.sock"))).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("something else stands there") as string });
  });
});
