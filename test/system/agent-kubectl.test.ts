import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { connectionCount, countingArgs } from "../support/connections.ts";
import { newDesk, type Desk } from "../support/desk.ts";
import { run, type Outcome } from "../support/process.ts";
import { createWorld, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

const crowd = 40;

describe.skipIf(!cluster)("forty kubectl at once with the local agent, against a real Kubernetes", () => {
  let world: World;
  let kubectl: string;
  let desk: Desk;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig, nodeArgs: countingArgs });
    // Of Google Cloud's several the first asks for the server's version too.
    kubectl = (await kubectlBinaries()).at(-1) ?? "kubectl";
  });
  afterEach(() => desk.machine.tsh(["agent", "stop"]));
  afterAll(() => world.close());

  /** A desk with a login, an agent, and a kubectl that knows what the cluster has. */
  async function newcomer(): Promise<void> {
    desk = await newDesk(world);
    expect(await desk.machine.logIn()).toMatchObject({ code: 0 });
    expect(await desk.machine.tsh(["agent", "start"])).toMatchObject({ code: 0 });
    expect(await run(kubectl, ["get", "pods"], { env: desk.machine.env })).toMatchObject({ code: 0, stderr: "" });
  }

  /** What they print, one line each: the pod, or that they failed. */
  const forty = (): Promise<Outcome> =>
    run("sh", ["-c", `yes pods | head -n ${crowd} | xargs -P ${crowd} -n1 sh -c '"$0" get "$1" -o name || echo failed' "$0"`, kubectl], { env: desk.machine.env, timeout: 80_000 });

  it("succeed while the login is good, with one connection to the gateway each", async () => {
    await newcomer();
    const count = connectionCount(world);
    const before = await count();
    expect(await forty()).toMatchObject({ code: 0, stdout: "pod/shell\n".repeat(crowd), stderr: "" });
    const after = await count();
    expect({ kube: after.kube - before.kube, others: after.others - before.others }).toEqual({ kube: crowd, others: 0 });
  });

  it("succeed after one login in one browser when it has ended, with relogin=agent", async () => {
    await newcomer();
    expect(await desk.machine.tsh(["agent", "config", "relogin=agent"])).toMatchObject({ code: 0 });
    const before = await desk.opened();
    await desk.end();
    expect(await forty()).toMatchObject({ code: 0, stdout: "pod/shell\n".repeat(crowd), stderr: "" });
    expect((await desk.opened()) - before).toBe(1);
  });

  it("fail when it has ended and nobody has opted in, with the reason once, and no browser", async () => {
    await newcomer();
    const before = await desk.opened();
    await desk.end();
    const { stdout, stderr } = await forty();
    expect(stdout).toBe("failed\n".repeat(crowd));
    expect(stderr.match(/^tsh: .*$/gm)).toEqual([expect.stringMatching(new RegExp(`^tsh: your login to ${world.proxy} ended \\S.* ago; run: tsh login --proxy=${world.proxy} --auth=github$`))]);
    expect(stderr.match(/exit code 3/g)?.length).toBeGreaterThanOrEqual(crowd);
    expect(await desk.opened()).toBe(before);
  });
});
