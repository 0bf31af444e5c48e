import { afterEach, expect, it, vi } from "vitest";
import { listenAlone } from "./signals.ts";

afterEach(() => void process.removeAllListeners("SIGUSR2"));

it("hears a signal that came before it listened, in the place of those who did, and the next one too", async () => {
  const [before, once, after] = [vi.fn(), vi.fn(), vi.fn()];
  process.on("SIGUSR2", before).once("SIGUSR2", once);
  process.kill(process.pid, "SIGUSR2");
  listenAlone("SIGUSR2", after);
  await vi.waitFor(() => expect(after).toHaveBeenCalledTimes(1));
  process.kill(process.pid, "SIGUSR2");
  await vi.waitFor(() => expect(after).toHaveBeenCalledTimes(2));
  expect([before, once].map(({ mock }) => mock.calls)).toEqual([[], []]);
});
