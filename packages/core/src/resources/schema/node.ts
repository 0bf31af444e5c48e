import { z } from "zod";
import { uuid } from "../../base/index.ts";
import { formatNodeAddress, hostNameProblem, readNodeAddress } from "../node-names.ts";
import type { Node } from "../types.ts";
import { compact, fields, readBy } from "./fields.ts";
import { metadata, nameProblem } from "./metadata.ts";

const addr: z.ZodType<string> = readBy((value, fail) => {
  const address = typeof value === "string" ? readNodeAddress(value) : undefined;
  if (!address) fail(value === undefined || value === null ? "is missing: where the gateway reaches the host, such as 10.0.0.5:22" : "must be an address such as web-1.example.com:22, 10.0.0.5:22 or [fd00::5]:22");
  return address ? formatNodeAddress(address) : "";
});

const hostname: z.ZodType<string | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return undefined;
  const name = typeof value === "string" ? value.toLowerCase() : "";
  const problem = typeof value === "string" ? hostNameProblem(name) : "must be text; put it in quotes";
  if (problem !== undefined) fail(problem);
  return name;
});

const hostKey: z.ZodType<string | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string" || !/^SHA256:[A-Za-z0-9+/]{43}$/.test(value)) fail("must be a fingerprint as ssh-keygen -l prints it: SHA256:…");
  return typeof value === "string" ? value : "";
});

/** A name of its own, or a UUID where none is given. It stands before `.CLUSTER` in host certificates. */
const id: z.ZodType<string> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return uuid();
  const given = typeof value === "string" ? value : "";
  const problem = given === "" ? "must be text; put it in quotes" : (nameProblem(given) ?? hostNameProblem(given));
  if (problem !== undefined) fail(problem);
  return given;
});

/** `node` v2 (reference §8.2, §8.4). Without a hostname it is called as its id is. */
export const nodeV2: z.ZodType<Node> = fields({
  kind: z.literal("node"),
  version: z.literal("v2"),
  sub_kind: readBy((value, fail) => {
    if (value !== undefined && value !== null && value !== "" && value !== "openssh") fail('must be "openssh": hosts run OpenSSH itself');
    return "openssh" as const;
  }),
  metadata: z.preprocess((value) => value ?? {}, metadata(() => undefined, id)),
  spec: fields({ addr, hostname, host_key: hostKey }),
}).transform(({ spec, ...node }): Node => ({ ...node, spec: compact({ addr: spec.addr, hostname: spec.hostname ?? node.metadata.name, host_key: spec.host_key }) }));
