import { nullLogger, systemClock, systemRandom } from "../base/index.ts";
import { openStore } from "./index.ts";

/** Another process that uses a store; tests bundle it and run it as `node <bundle> <job> <database> <key file> <count>`. */
const [job, path = "", keyFile = "", count = "0"] = process.argv.slice(2);
const store = await openStore({ path, keyFile, clock: systemClock, random: systemRandom, logger: nullLogger, pollIntervalMs: 5 });

async function increment(): Promise<void> {
  for (;;) {
    const item = await store.get("counter", "n");
    const value = String(Number(item?.value ?? "0") + 1);
    try {
      await store.transact([{ op: "put", kind: "counter", name: "n", value, secret: value, expect: item?.revision ?? "absent" }]);
      return;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code !== "compare_failed" && code !== "already_exists") throw error;
    }
  }
}

if (job === "increment") {
  for (let done = 0; done < Number(count); done += 1) await increment();
} else if (job === "pairs") {
  for (let n = Number(count); ; n += 1) {
    const text = String(n);
    await store.transact([
      { op: "put", kind: "pair", name: "left", value: text, secret: `secret ${text}` },
      { op: "put", kind: "pair", name: "right", value: text.repeat(2000), secret: `secret ${text}` },
    ]);
    process.stdout.write(`${text}\n`);
  }
} else if (job === "put") {
  await store.transact([{ op: "put", kind: "role", name: count, value: "{}" }]);
}
await store.close();
