import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { request as plainRequest, type IncomingMessage } from "node:http";
import { AwsClient } from "aws4fetch";
import { readAll, type Clock, type Logger } from "../../base/index.ts";
import { readWitnessLine } from "../verify/index.ts";
import type { WitnessOptions, WitnessWriter } from "./types.ts";

const timeout = 30_000;
const maxAnswer = 64 * 1024;

/** The object's key: in order of time, one a checkpoint, never written twice with other bytes. */
function keyOf(prefix: string, line: string): string {
  const { server, time, chain } = readWitnessLine(Buffer.from(line))?.checkpoint ?? { server: "unknown", time: "unknown", chain: { id: "unknown", n: 0 } };
  return `${prefix}${server}/${time}-${chain.id}-${chain.n}.json`;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * Puts each checkpoint into an S3-compatible bucket, locked for a time where that is asked for. Nothing that is there is written over: where the name
 * is taken by something else, or may not be read, the checkpoint gets another name. Credentials sign and are never sent.
 */
export function s3Witness(options: Extract<WitnessOptions, { type: "s3" }>, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }): WitnessWriter {
  const { endpoint, region, bucket, prefix, lockMs, lockMode } = options;
  if (lockMs === 0) logger.warn({ witness: `s3://${bucket}` }, "checkpoints in this bucket can be removed unless the bucket locks objects by default: set lock_for");

  async function ask(method: "PUT" | "GET", key: string, body: Buffer | undefined, more: Readonly<Record<string, string>>): Promise<Answer> {
    const [secret, ca] = await Promise.all([readFile(options.secretKeyFile, "utf8"), options.caFile === undefined ? undefined : readFile(options.caFile, "utf8")]);
    const client = new AwsClient({ accessKeyId: options.accessKeyId, secretAccessKey: secret.trim(), service: "s3", region });
    const path = `${bucket}/${key}`.split("/").map(encodeURIComponent).join("/");
    const signed = await client.sign(`${endpoint.replace(/\/$/, "")}/${path}`, {
      method,
      ...(body ? { body } : {}),
      headers: { "x-amz-content-sha256": createHash("sha256").update(body ?? "").digest("hex"), ...more },
      aws: { datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, "") },
    });
    const url = new URL(signed.url);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === "http:" ? plainRequest : request;
      const headers = { ...Object.fromEntries(signed.headers), ...(body ? { "content-length": body.length } : {}) };
      const sent = send(url, { method, ...(ca === undefined ? {} : { ca }), agent: false, signal: AbortSignal.timeout(timeout), headers }, resolve);
      sent.once("error", reject);
      sent.end(body);
    });
    return { status: response.statusCode ?? 0, body: await readAll(response, maxAnswer, "the bucket's answer") };
  }

  async function put(key: string, body: Buffer): Promise<Answer> {
    const headers = {
      "content-type": "application/json",
      "content-md5": createHash("md5").update(body).digest("base64"),
      ...(lockMs > 0 ? { "x-amz-object-lock-mode": lockMode, "x-amz-object-lock-retain-until-date": new Date(clock.now() + lockMs).toISOString() } : {}),
    };
    const answer = await ask("PUT", key, body, { ...headers, "if-none-match": "*" });
    // Stores that do not know the condition.
    return answer.status === 501 ? ask("PUT", key, body, headers) : answer;
  }

  return {
    name: `s3://${bucket}`,
    async send(line) {
      const body = Buffer.from(`${line}\n`);
      const key = keyOf(prefix, line);
      let answer = await put(key, body);
      if (answer.status === 412) {
        // An earlier try came through, or somebody else was first.
        const there = await ask("GET", key, undefined, {});
        if (there.status === 200 && there.body.equals(body)) return;
        if (there.status === 200) logger.error({ witness: `s3://${bucket}`, key }, "another object has the name of a checkpoint of the audit log: the checkpoint gets another name");
        answer = await put(key.replace(/\.json$/, `-${clock.now()}.json`), body);
      }
      if (answer.status !== 200) throw new Error(`it answered ${answer.status}: ${answer.body.toString("utf8").slice(0, 300)}`);
    },
    close: () => Promise.resolve(),
  };
}
