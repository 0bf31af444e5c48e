import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nullLogger } from "../../base/index.ts";
import { ClusterSource } from "./cluster-source.ts";
import { readKubeconfigFile, type Kubeconfig } from "./kubeconfig-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-source-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(server: string): Promise<Kubeconfig> {
  const file = join(folder, "config");
  await writeFile(file, `apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "${server}", insecure-skip-tls-verify: true}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n`);
  return readKubeconfigFile(file);
}

/** Runs `work` so many turns of the queue of microtasks from now. */
function inTurns(turns: number, work: () => void): void {
  if (turns === 0) work();
  else queueMicrotask(() => inTurns(turns - 1, work));
}

it.each([0, 1, 2, 3, 4, 5, 6])("a cluster whose kubeconfig changes %d turns after it was read is read again", async (turns) => {
  const [before, after] = [await load("https://before:6443"), await load("https://after:6443")];
  const file: { path: string; kubeconfig: Kubeconfig; problem: undefined } = { path: "config", kubeconfig: before, problem: undefined };
  let heard: (again: Promise<void>) => void = () => undefined;
  const again = new Promise<void>((resolve) => (heard = resolve));
  let changed = (): void => {
    changed = () => undefined;
    inTurns(turns, () => {
      file.kubeconfig = after;
      heard(source.follow());
    });
  };
  const source = new ClusterSource({ name: "prod", labels: {}, origin: { file, context: "a" } }, { logger: nullLogger, env: {} }, () => changed());
  await source.follow();
  await again;
  expect(source.view.upstream?.url).toBe("https://after:6443");
  source.close();
});
