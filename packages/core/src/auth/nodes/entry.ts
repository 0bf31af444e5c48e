import { GatehouseError } from "../../base/index.ts";
import { readNodeAddress, type Node } from "../../resources/index.ts";
import type { NodeEntry } from "./types.ts";

/** A host as decisions and dials need it. */
export function nodeEntry({ metadata, spec }: Node): NodeEntry {
  const addr = readNodeAddress(spec.addr);
  if (!addr) throw new GatehouseError("internal", `node "${metadata.name}" has no address`);
  return { id: metadata.name, hostname: spec.hostname, addr, labels: metadata.labels ?? {}, ...(spec.host_key === undefined ? {} : { hostKey: spec.host_key }) };
}
