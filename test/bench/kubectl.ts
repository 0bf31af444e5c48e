import { requireTool } from "@gatehouse/core/testing";
import { run } from "../support/process.ts";
import { createKubectlPlace } from "./kubectl-place.ts";
import type { Connections } from "../support/connections.ts";
import type { KubectlPlace, KubectlWay } from "./kubectl-place.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const rounds = 11;
const crowdRounds = 3;
const crowd = 40;

/** What a person waits for `kubectl get pods`: directly, by the plugin and the gateway, and through `tsh proxy kube`; one by itself, and forty at once. */
export async function benchKubectl(print: (text: string) => void): Promise<readonly Verdict[]> {
  if (!requireTool("kubectl", "Debian: kubernetes-client")) return [];
  const place = await createKubectlPlace();
  try {
    const alone = await inTurn(place.ways, rounds, (way) => time(way, place.kubectl, ["get", "pods"]));
    print(table([`kubectl get pods, ${place.cluster}`, "ms", "× direct"], place.ways.map(({ name }, index) => [name, ...againstDirect(alone, index)])));
    return await benchCrowd(place, print);
  } finally {
    await place.close();
  }
}

async function benchCrowd(place: KubectlPlace, print: (text: string) => void): Promise<readonly Verdict[]> {
  const all = new Map(place.ways.map(({ name }) => [name, [] as Connections[]]));
  const times = await inTurn(place.ways, crowdRounds, async (way) => {
    const before = await place.connections();
    const took = await time(way, "sh", ["-c", `yes pods | head -n ${String(crowd)} | xargs -P ${String(crowd)} -n1 "$0" get`, place.kubectl]);
    const after = await place.connections();
    all.get(way.name)?.push({ kube: after.kube - before.kube, others: after.others - before.others });
    return took;
  });
  const most = (name: string, of: keyof Connections): number => Math.max(...(all.get(name) ?? []).map((each) => each[of]));
  print(
    table(
      [`${String(crowd)} kubectl get pods at once`, "ms", "× direct", "connections", "to other listeners"],
      place.ways.map(({ name }, index) => [name, ...againstDirect(times, index), String(most(name, "kube")), String(most(name, "others"))]),
    ),
  );
  return [
    ...["plugin", "plugin, with an agent"].map((name) => verdict(`connections to the gateway of one kubectl of ${String(crowd)}, ${name}`, (most(name, "kube") + most(name, "others")) / crowd, "≤", 1, "")),
    // As many as the local proxy shares.
    verdict(`connections to the gateway of ${String(crowd)} kubectl, tsh proxy kube`, most("tsh proxy kube", "kube"), "≤", 16, ""),
  ];
}

/** Medians of what ways took in turn, after a round that does not count. */
async function inTurn(ways: readonly KubectlWay[], times: number, measure: (way: KubectlWay) => Promise<number>): Promise<readonly number[]> {
  const all = ways.map((): number[] => []);
  for (let round = -1; round < times; round++) {
    for (const [index, way] of ways.entries()) {
      const took = await measure(way);
      if (round >= 0) all[index]?.push(took);
    }
  }
  return all.map(median);
}

function againstDirect(medians: readonly number[], index: number): readonly string[] {
  const [direct = Number.NaN] = medians;
  const own = medians[index] ?? Number.NaN;
  return [own.toFixed(0), (own / direct).toFixed(2)];
}

/** ms that a command takes. Throws where it fails. */
async function time({ name, env }: KubectlWay, command: string, args: readonly string[]): Promise<number> {
  const begun = performance.now();
  const { code, stdout, stderr } = await run(command, args, { env, timeout: 120_000 });
  const took = performance.now() - begun;
  if (code !== 0 || !stdout.includes("NAME")) throw new Error(`kubectl, ${name}, ended with ${String(code)}: ${stderr}`);
  return took;
}
