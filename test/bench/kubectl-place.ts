import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { startKubeApi } from "../stand-ins/kube-api.ts";
import { kubectlBinaries, realCluster } from "../support/cluster.ts";
import { connectionCount, countingArgs, type Connections } from "../support/connections.ts";
import { newMachine } from "../support/machine.ts";
import { createWorld } from "../support/world.ts";
import { startAgent, withAgent } from "./local-agent.ts";
import { stop } from "./processes.ts";

/** A way for kubectl to reach a cluster. */
export interface KubectlWay {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A gateway before a cluster, and a person with a login, an agent and a local proxy. */
export interface KubectlPlace {
  /** Directly, by the plugin without an agent and with one, and through `tsh proxy kube`. */
  readonly ways: readonly KubectlWay[];
  /** Path of the kubectl that is measured: one that asks for nothing but what it is told to. */
  readonly kubectl: string;
  /** What answers behind the gateway. */
  readonly cluster: string;
  /** Connections that the gateway has taken so far. */
  connections(): Promise<Connections>;
  close(): Promise<void>;
}

/** Credentials for the gateway, and others for kubectl itself. */
interface Cluster {
  readonly name: string;
  readonly gatewayKubeconfig: string;
  readonly directKubeconfig: string;
  close(): Promise<void>;
}

const told = z.object({ kubeconfig: z.string() });

/** Brings it up. The caller closes it. */
export async function createKubectlPlace(): Promise<KubectlPlace> {
  const cleanups: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const cluster = await chooseCluster();
    cleanups.push(() => cluster.close());
    const world = await createWorld({ kubeconfig: cluster.gatewayKubeconfig, nodeArgs: countingArgs });
    cleanups.push(() => world.close());
    const machine = await newMachine(world, "ana");
    const login = await machine.logIn();
    if (login.code !== 0) throw new Error(`tsh login: ${login.stderr}`);
    const asked = await withAgent(machine.env, join(world.folder, "runtime"));
    const agent = await startAgent(asked);
    cleanups.push(() => stop(agent));
    const proxy = machine.start(["proxy", "kube", "--format=json"]);
    cleanups.push(() => proxy.stop());
    const [text] = await proxy.waitFor(/^\{[\s\S]*\n\}\n/, "stdout");
    const ways = [
      { name: "direct", env: { ...machine.env, KUBECONFIG: cluster.directKubeconfig } },
      { name: "plugin", env: machine.env },
      { name: "plugin, with an agent", env: asked },
      { name: "tsh proxy kube", env: { ...machine.env, KUBECONFIG: told.parse(JSON.parse(text)).kubeconfig } },
    ];
    // Google Cloud's asks for the server's version first, and may start another: those beside it do not.
    const kubectl = (await kubectlBinaries()).at(-1) ?? "kubectl";
    return { ways, kubectl, cluster: cluster.name, connections: connectionCount(world), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The real cluster, else a stand-in, where the gateway's own credentials act for the person directly too: it has no administrator. */
async function chooseCluster(): Promise<Cluster> {
  const real = realCluster();
  if (real !== undefined) return { name: "a real API server", gatewayKubeconfig: real.gatewayKubeconfig, directKubeconfig: real.adminKubeconfig, close: () => Promise.resolve() };
  const api = await startKubeApi();
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-kube-"));
  const [gatewayKubeconfig, directKubeconfig] = [join(folder, "gateway"), join(folder, "direct")];
  const config = z.looseObject({ users: z.array(z.looseObject({ user: z.looseObject({}) })) }).parse(parse(api.kubeconfig));
  const users = config.users.map((each) => ({ ...each, user: { ...each.user, as: "ana", "as-groups": ["developers"] } }));
  await Promise.all([writeFile(gatewayKubeconfig, api.kubeconfig, { mode: 0o600 }), writeFile(directKubeconfig, stringify({ ...config, users }), { mode: 0o600 })]);
  return {
    name: "the API stand-in",
    gatewayKubeconfig,
    directKubeconfig,
    async close() {
      await api.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
