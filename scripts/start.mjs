// npm start: installs and builds what is missing, then runs the main job on embedded defaults (test/programs/demo.ts).
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, main, root, run } from "./workspace.mjs";

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  // Ctrl-C goes to the whole group: the demo ends by itself, and this process reports how.
  process.on("SIGINT", () => undefined);
  return run(process.execPath, [join(root, "test/dist/demo.js")]);
});
