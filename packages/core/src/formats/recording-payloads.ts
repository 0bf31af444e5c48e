import { z } from "zod";
import { GatehouseError } from "../base/index.ts";
import { recordingFormat, sshSessionKinds } from "./recording.ts";
import type { RecordingEnd, RecordingGap, RecordingHeader, RecordingMarker, TerminalSize } from "./recording.ts";

const name = z.string().max(1024);
const names = z.array(name).max(1024);
const maxSize = 0xffff;

const anySession = {
  sid: z.uuid(),
  user: name,
  roles: names,
  command: z.array(z.string()),
  tty: z.boolean(),
  stdin: z.boolean(),
  address: name,
  server_id: name,
  started: z.int().nonnegative(),
};
const kubeSession = z.object({
  ...anySession,
  proto: z.literal("kube").optional(),
  kind: z.enum(["exec", "attach"]),
  kubernetes_user: name.optional(),
  groups: names,
  cluster: name,
  namespace: name,
  pod: name,
  container: name,
  image: name.optional(),
});
const sshSession = z.object({
  ...anySession,
  proto: z.literal("ssh"),
  kind: z.enum(sshSessionKinds),
  login: name,
  node: z.object({ id: name, name, address: name, labels: z.record(name, z.string().max(4096)) }),
});
const headerSchema = z.object({
  version: z.literal(2),
  width: z.int().min(0).max(maxSize),
  height: z.int().min(0).max(maxSize),
  timestamp: z.int().nonnegative(),
  command: z.string().optional(),
  title: z.string().optional(),
  env: z.record(name, z.string()).optional(),
  gatehouse: z.discriminatedUnion("proto", [kubeSession, sshSession]),
});
const endSchema = z.object({ reason: z.string().max(4096), exitCode: z.int().optional(), signal: z.string().max(64).optional(), participants: names.optional(), interrupted: z.boolean().optional() });
const gapSchema = z.object({ bytes: z.int().nonnegative(), why: z.string().max(4096) });
const markerSchema = z.object({ kind: z.string().max(64), text: z.string().max(16_384) });

/** Data of a header record. Throws `bad_parameter` where it is not a recording's header. */
export function parseRecordingHeader(data: Uint8Array): RecordingHeader {
  return parse(headerSchema, data, "header");
}

/** Data of an end record. Throws `bad_parameter`. */
export function parseRecordingEnd(data: Uint8Array): RecordingEnd {
  return parse(endSchema, data, "end");
}

/** Data of a gap record. Throws `bad_parameter`. */
export function parseRecordingGap(data: Uint8Array): RecordingGap {
  return parse(gapSchema, data, "gap");
}

/** Data of a marker record. Throws `bad_parameter`. */
export function parseRecordingMarker(data: Uint8Array): RecordingMarker {
  return parse(markerSchema, data, "marker");
}

/** Data of a resize record. Throws `bad_parameter` where it is not 4 bytes. */
export function parseRecordingResize(data: Buffer): TerminalSize {
  if (data.length !== 4) throw new GatehouseError("bad_parameter", "the resize of a recording is not 4 bytes");
  return { columns: data.readUInt16BE(0), rows: data.readUInt16BE(2) };
}

/** A header, end, gap or marker as the data of its record. Throws `limit_exceeded` where it is larger than a reader takes. */
export function encodeRecordingJson(value: RecordingHeader | RecordingEnd | RecordingGap | RecordingMarker): Buffer {
  const data = Buffer.from(JSON.stringify(value));
  if (data.length > recordingFormat.maxJson) throw new GatehouseError("limit_exceeded", `a recording's header or event is larger than ${recordingFormat.maxJson} bytes`);
  return data;
}

/** Data of a resize record; sizes are cut to what it holds. */
export function encodeRecordingResize(size: TerminalSize): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt16BE(Math.min(maxSize, size.columns), 0);
  data.writeUInt16BE(Math.min(maxSize, size.rows), 2);
  return data;
}

function parse<T>(schema: z.ZodType<T>, data: Uint8Array, what: string): T {
  const refuse = (why: string, cause?: unknown): GatehouseError => new GatehouseError("bad_parameter", `the ${what} of a recording is not valid: ${why}`, { cause });
  if (data.length > recordingFormat.maxJson) throw refuse(`larger than ${recordingFormat.maxJson} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
  } catch (error) {
    throw refuse("not JSON", error);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw refuse(issue === undefined ? "wrong shape" : `${issue.path.join(".")}: ${issue.message}`, result.error);
}
