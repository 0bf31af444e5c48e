import { randomUUID } from "node:crypto";
import { openRecordings } from "@gatehouse/core/audit";
import { nullLogger, systemClock } from "@gatehouse/core/base";

/** Records some sessions until it is killed; says what it has recorded, a line each: session, number of the last line, and when. */
const [directory = "", count = "4"] = process.argv.slice(2);
const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
const recordings = openRecordings({ directory, serverId: "gw", clock: systemClock, logger: nullLogger, audit });
const listener = { changed: () => undefined, gap: () => undefined };

for (let index = 0; index < Number(count); index++) {
  const started = Date.now();
  const sid = randomUUID();
  const session = {
    ...{ sid, kind: "exec" as const, user: "ana", roles: [], groups: [], cluster: "c", namespace: "n", pod: "p", container: "", command: ["sh"], tty: false, stdin: false },
    ...{ address: "192.0.2.1:1", server_id: "gw", started },
  };
  const recording = await recordings.open({ version: 2, width: 80, height: 24, timestamp: Math.floor(started / 1000), gatehouse: session }, "strict", listener);
  let line = 0;
  setInterval(() => {
    // One session trickles, the others come in bursts of ever larger size.
    for (let burst = index === 0 ? 1 : 50 * index; burst > 0 && !recording.behind; burst--) {
      line += 1;
      recording.write("o", Buffer.from(`${String(line)}${".".repeat(line % (200 * (index + 1)))}\n`));
    }
    process.stdout.write(`${sid} ${String(line)} ${String(Date.now())}\n`);
  }, 5 + index);
}
