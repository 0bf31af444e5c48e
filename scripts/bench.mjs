// pnpm bench [part…]: what the hot paths cost, as ratios measured in one run.
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, main, root, run } from "./workspace.mjs";

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  return run(process.execPath, [join(root, "test/dist/bench.js"), ...process.argv.slice(2)]);
});
