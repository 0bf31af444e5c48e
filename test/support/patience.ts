import { vi } from "vitest";

/** What {@link vi.waitFor} waits at most where a test does not say, ms: a second is little on a machine that has much to do. */
const timeout = 60_000;
const { waitFor } = vi;

vi.waitFor = (callback, options) => waitFor(callback, typeof options === "number" ? options : { timeout, ...options });
