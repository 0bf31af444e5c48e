// npm start: installs and builds what is missing, then runs the main job on embedded defaults (test/programs/demo.ts).
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, main, root, run } from "./workspace.mjs";

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  // A terminal's signals go to the whole group: the demo ends by itself, and this process reports how.
  process.on("SIGINT", () => undefined);
  process.on("SIGHUP", () => undefined);
  return run(process.execPath, [join(root, "test/dist/demo.js")], { forward: ["SIGTERM"] });
});
