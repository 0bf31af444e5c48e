import { createServer, request, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { manualClock, nullLogger, systemRandom } from "../../base/index.ts";
import type { WebOptions } from "./index.ts";

/** What a page or an endpoint answered. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request on a connection of its own. */
export type Call = (method: string, path: string, body?: string | Buffer, headers?: Record<string, string>) => Promise<Answer>;

/** A gateway at gw.example.com, as far as its pages need to know. */
export const testGateway = {
  authorities: { trust: (kind) => ({ kind, clusterName: "example", sshKeys: [], tlsCertificates: [] }) },
  publicUrl: () => "https://gw.example.com:3080",
  passwordRules: { minLength: 8, maxBytes: 128 },
  clock: manualClock(0),
  logger: nullLogger,
  random: systemRandom,
} as const satisfies Partial<WebOptions>;

/** Serves over plain HTTP on loopback until `close`. */
export async function serveForTest(handler: RequestListener): Promise<{ readonly call: Call; close(): void }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const call: Call = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
      sent.on("error", reject).end(body);
    });
  return { call, close: () => server.close() };
}
