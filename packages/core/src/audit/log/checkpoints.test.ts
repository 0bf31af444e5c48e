import { expect, it } from "vitest";
import { manualClock, nullLogger } from "../../base/index.ts";
import { createCheckpoints } from "./checkpoints.ts";
import type { ChainedLog } from "./log.ts";
import type { Ratchet } from "./ratchet.ts";

it("a witness hears of a checkpoint when the disk has it, and not where the disk has not; the old key goes last", async () => {
  const order: string[] = [];
  let broken = true;
  const log = {
    append: (build: Parameters<ChainedLog["append"]>[0]) => {
      order.push(`write ${build({ id: "0".repeat(16), n: 1, prev: "" }, "t").event}`);
      return Promise.resolve("line");
    },
    sync: () => {
      order.push("sync");
      return broken ? Promise.reject(new Error("EIO")) : Promise.resolve();
    },
    emit: () => Promise.resolve(),
  } as unknown as ChainedLog;
  const ratchet: Ratchet = {
    publicKey: "k", seq: 0, found: true,
    stage: () => Promise.resolve("k"),
    sign: () => "s",
    turn: () => void order.push("turn"),
    erase: () => Promise.resolve(void order.push("erase")),
  };
  const checkpoints = createCheckpoints({ log, ratchet, serverId: "s", intervalMs: 1e9, clock: manualClock(0), logger: nullLogger, onCheckpoint: () => order.push("witness") });
  checkpoints.precede(() => [{ event: "session.digest", code: "G2005I" }]);
  await expect(checkpoints.now()).rejects.toMatchObject({ code: "unavailable" });
  broken = false;
  await checkpoints.now();
  const begin = ["write session.digest", "write audit.checkpoint", "turn", "sync"];
  expect(order).toEqual([...begin, ...begin, "witness", "erase"]);
});
