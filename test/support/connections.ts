import { z } from "zod";
import type { World } from "./world.ts";

/** Connections to a gateway's Kubernetes listener, and to its others. */
export interface Connections {
  readonly kube: number;
  readonly others: number;
}

/** Has the gateway count connections by port as Node takes them, and say at each SIGUSR2 how many there were. */
const counter = `import{subscribe}from"node:diagnostics_channel";const n={};let k=0;subscribe("net.server.socket",({socket:{localPort:p}})=>{n[p]=(n[p]??0)+1});process.on("SIGUSR2",()=>process.stderr.write("connections "+ ++k+": "+JSON.stringify(n)+"\\n"))`;
const counted = z.record(z.string(), z.number());

/** What Node has to run a gateway with whose connections are to be counted: `nodeArgs` of its world. */
export const countingArgs: readonly string[] = [`--import=data:text/javascript,${encodeURIComponent(counter)}`];

/** Asks a gateway that runs with {@link countingArgs} how many connections it has taken so far. */
export function connectionCount(world: World): () => Promise<Connections> {
  const kubePort = world.ready.addresses.kube?.split(":").at(-1);
  let asked = 0;
  return async () => {
    asked++;
    world.gateway.child.kill("SIGUSR2");
    const [, text = ""] = await world.gateway.waitFor(new RegExp(`^connections ${String(asked)}: (.*)$`, "m"), "stderr");
    const ports = Object.entries(counted.parse(JSON.parse(text)));
    const sum = (of: (port: string) => boolean): number => ports.reduce((total, [port, count]) => total + (of(port) ? count : 0), 0);
    return { kube: sum((port) => port === kubePort), others: sum((port) => port !== kubePort) };
  };
}
