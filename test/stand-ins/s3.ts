import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** An object as the bucket has it. */
export interface StoredObject {
  readonly key: string;
  readonly body: Buffer;
  readonly lockMode: string | undefined;
  readonly lockedUntil: string | undefined;
}

/** A bucket with object lock, on loopback: refuses a signature (AWS Signature Version 4) that is not right, and to overwrite what is locked. */
export interface S3 {
  readonly url: string;
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** Answers 503 while set. */
  down: boolean;
  close(): Promise<void>;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const encode = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);

/** Why a request's signature is not right; undefined where it is. */
function refusal(request: IncomingMessage, body: Buffer, options: { readonly accessKeyId: string; readonly secretKey: string; readonly region: string }): string | undefined {
  const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? "");
  const [, id, date = "", region = "", signedNames = "", signature = ""] = match ?? [];
  if (!match || id !== options.accessKeyId || region !== options.region) return "InvalidAccessKeyId";
  const header = (name: string): string => String(request.headers[name] ?? "");
  const names = signedNames.split(";");
  const mustBeSigned = ["host", ...Object.keys(request.headers).filter((name) => name.startsWith("x-amz-"))];
  if (mustBeSigned.some((name) => !names.includes(name))) return "AccessDenied";
  const stamp = header("x-amz-date");
  if (!stamp.startsWith(date) || header("x-amz-content-sha256") !== sha256(body)) return "XAmzContentSHA256Mismatch";
  const url = new URL(request.url ?? "/", "http://localhost");
  const path = url.pathname.split("/").map((part) => encode(decodeURIComponent(part))).join("/");
  const canonical = [request.method, path, "", ...names.map((name) => `${name}:${header(name).trim().replace(/\s+/g, " ")}`), "", signedNames, header("x-amz-content-sha256")].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${options.secretKey}`, date), region), "s3"), "aws4_request");
  const expected = hmac(key, ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n"));
  return timingSafeEqual(expected, Buffer.from(signature, "hex")) ? undefined : "SignatureDoesNotMatch";
}

/** Starts the stand-in. */
export async function startS3(options: { readonly bucket: string; readonly accessKeyId: string; readonly secretKey: string; readonly region: string }): Promise<S3> {
  const objects = new Map<string, StoredObject>();
  const state = { down: false };
  async function answer(request: IncomingMessage): Promise<readonly [number, string]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (state.down) return [503, "SlowDown"];
    const refused = refusal(request, body, options);
    if (refused !== undefined) return [403, refused];
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    if (request.method !== "PUT" || !path.startsWith(`/${options.bucket}/`)) return [404, "NoSuchBucket"];
    const key = path.slice(options.bucket.length + 2);
    const { "x-amz-object-lock-mode": mode, "x-amz-object-lock-retain-until-date": until, "content-md5": md5 } = request.headers;
    // As S3 does: a lock wants a checksum of the body.
    if (mode !== undefined && md5 !== createHash("md5").update(body).digest("base64")) return [400, "InvalidRequest"];
    const there = objects.get(key);
    if (there?.lockedUntil !== undefined && Date.parse(there.lockedUntil) > Date.now() && !there.body.equals(body)) return [403, "AccessDenied"];
    objects.set(key, { key, body, lockMode: mode === undefined ? undefined : String(mode), lockedUntil: until === undefined ? undefined : String(until) });
    return [200, ""];
  }
  const server = createServer((request, response) => {
    answer(request).then(
      ([status, code]) => response.writeHead(status, { "content-type": "application/xml" }).end(code === "" ? "" : `<Error><Code>${code}</Code></Error>`),
      () => response.writeHead(500).end(),
    );
  });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    objects,
    get down() {
      return state.down;
    },
    set down(down) {
      state.down = down;
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
