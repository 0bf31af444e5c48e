// npm test: installs, builds, runs every test; the last line is `N passed, N failed`.
// Arguments go to vitest: npm test -- --project unit packages/core/src/ca
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, main, root, run } from "./workspace.mjs";

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const report = join(root, "node_modules/.cache/gatehouse-test.json");
  await rm(report, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await run(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...process.argv.slice(2)]);
  const results = JSON.parse(await readFile(report, "utf8"));
  const suites = results.testResults.filter((suite) => suite.status === "failed" && suite.assertionResults.every((test) => test.status !== "failed"));
  const skipped = results.numPendingTests + results.numTodoTests;
  // A file that failed outside its tests (an import, a hook) counts as one failure: nothing may fail unseen.
  const failed = results.numFailedTests + suites.length;
  const exit = code === 0 && failed === 0 && results.numPassedTests > 0 ? 0 : 1;
  console.log(`${String(results.numPassedTests)} passed, ${String(Math.max(failed, exit === 0 ? 0 : 1))} failed${skipped > 0 ? `, ${String(skipped)} skipped` : ""}`);
  return exit;
});
