import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { request as plainRequest, type IncomingMessage } from "node:http";
import { AwsClient } from "aws4fetch";
import { readAll, type Clock } from "../../base/index.ts";
import { readWitnessLine } from "../verify/index.ts";
import type { WitnessOptions, WitnessWriter } from "./types.ts";

const timeout = 30_000;
const maxAnswer = 64 * 1024;

/** The object's key: in order of time, one a checkpoint, never written twice with other bytes. */
function keyOf(prefix: string, line: string): string {
  const { server, time, chain } = readWitnessLine(Buffer.from(line))?.checkpoint ?? { server: "unknown", time: "unknown", chain: { id: "unknown", n: 0 } };
  return `${prefix}${server}/${time}-${chain.id}-${chain.n}.json`;
}

/** Puts each checkpoint into an S3-compatible bucket, locked for a time where that is asked for. Credentials sign and are never sent. */
export function s3Witness(options: Extract<WitnessOptions, { type: "s3" }>, clock: Clock): WitnessWriter {
  const { endpoint, region, bucket, prefix, lockMs, lockMode } = options;
  return {
    name: `s3://${bucket}`,
    async send(line) {
      const [secret, ca] = await Promise.all([readFile(options.secretKeyFile, "utf8"), options.caFile === undefined ? undefined : readFile(options.caFile, "utf8")]);
      const body = Buffer.from(`${line}\n`);
      const client = new AwsClient({ accessKeyId: options.accessKeyId, secretAccessKey: secret.trim(), service: "s3", region });
      const path = `${bucket}/${keyOf(prefix, line)}`.split("/").map(encodeURIComponent).join("/");
      const signed = await client.sign(`${endpoint.replace(/\/$/, "")}/${path}`, {
        method: "PUT",
        body,
        headers: {
          "content-type": "application/json",
          "content-md5": createHash("md5").update(body).digest("base64"),
          "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
          ...(lockMs > 0 ? { "x-amz-object-lock-mode": lockMode, "x-amz-object-lock-retain-until-date": new Date(clock.now() + lockMs).toISOString() } : {}),
        },
        aws: { datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, "") },
      });
      const url = new URL(signed.url);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const send = url.protocol === "http:" ? plainRequest : request;
        const sent = send(
          url,
          { method: "PUT", ...(ca === undefined ? {} : { ca }), agent: false, signal: AbortSignal.timeout(timeout), headers: { ...Object.fromEntries(signed.headers), "content-length": body.length } },
          resolve,
        );
        sent.once("error", reject);
        sent.end(body);
      });
      const answer = await readAll(response, maxAnswer, "the bucket's answer");
      if (response.statusCode !== 200) throw new Error(`it answered ${response.statusCode ?? 0}: ${answer.toString("utf8").slice(0, 300)}`);
    },
    close: () => Promise.resolve(),
  };
}
