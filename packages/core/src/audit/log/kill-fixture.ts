/** A process of {@link file://./kill.test.ts}: writes events as fast as they are taken, with checkpoints between them, until it is killed. */
import { nullLogger, systemClock } from "../../base/index.ts";
import { openAuditLog } from "../index.ts";

const directory = process.argv[2] ?? "";
const log = await openAuditLog({ directory, serverId: "gw1", clock: systemClock, logger: nullLogger, sync: "group", checkpointMs: 5, witnesses: [{ type: "file", path: `${directory}/witness` }] });
process.stdout.write("open\n");
for (let n = 0; ; n += 1) {
  await Promise.all([1, 2, 3].map((part) => log.emit({ event: "test", code: "G9999I", n, part, text: "x".repeat(n % 3000) })));
  if (n === 20) process.stdout.write("written\n");
}
