import { readFile } from "node:fs/promises";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { readAll } from "../../base/index.ts";
import type { WitnessOptions, WitnessWriter } from "./types.ts";

const timeout = 15_000;
const maxAnswer = 64 * 1024;

/** Hands checkpoints to another gateway, which verifies and keeps them. The authorities of `caFile` alone may vouch for it. */
export function gatewayWitness(options: Extract<WitnessOptions, { type: "gateway" }>): WitnessWriter {
  const url = new URL(`/gatehouse/v1/witness/${encodeURIComponent(options.name)}`, options.url);
  // An address, without the brackets of IPv6, is no name to ask for.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    name: url.host,
    async send(line) {
      // Read each time: both may be replaced while the gateway runs.
      const [ca, token] = await Promise.all([readFile(options.caFile, "utf8"), readFile(options.tokenFile, "utf8")]);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = request(
          {
            host,
            port: url.port === "" ? 443 : Number(url.port),
            path: url.pathname,
            method: "POST",
            ca,
            servername: isIP(host) === 0 ? host : "",
            minVersion: "TLSv1.2",
            agent: false,
            signal: AbortSignal.timeout(timeout),
            headers: { authorization: `Bearer ${token.trim()}`, "content-type": "text/plain", "content-length": Buffer.byteLength(line) },
          },
          resolve,
        );
        sent.once("error", reject);
        sent.end(line);
      });
      const answer = await readAll(response, maxAnswer, "the witness's answer");
      if (response.statusCode !== 204) throw new Error(`it answered ${response.statusCode ?? 0}: ${answer.toString("utf8").slice(0, 200)}`);
    },
    close: () => Promise.resolve(),
  };
}
