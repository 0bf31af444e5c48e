import { firstRequests, load } from "../bench/load.ts";
import type { Target } from "../bench/load.ts";

/** The load generator, in a process of its own: one JSON argument in, one message out. */
const options = JSON.parse(process.argv[2] ?? "{}") as { target: Target; connections: number; seconds: number; pid?: number; pause?: number; newConnections?: number };
const result =
  options.newConnections === undefined
    ? await load(options.target, options.connections, options.seconds, options.pid, options.pause)
    : await firstRequests(options.target, options.newConnections);
process.send?.(result, () => process.disconnect());
