import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { parse } from "yaml";
import type { ClientCredentials } from "./fixed-gateway.ts";

const status = z.union([z.number(), z.literal("closed"), z.array(z.number())]);

/**
 * One way around the gateway: what is sent, as whom, and what must come of it.
 * `request`: lines end in CRLF, an empty line is added where there is none; `\r \n \t \0 \\ \xNN` stand for those bytes, `{{pad N}}` for N headers.
 */
const shape = z.strictObject({
  what: z.string(),
  /** A person of the test's table (`ana` by default), or a certificate that is none of theirs. */
  as: z
    .union([z.string(), z.strictObject({ certificate: z.enum(["none", "expired", "future", "foreign", "host", "upstream"]) })])
    .default("ana"),
  sni: z.string().optional(),
  request: z.string(),
  expect: z.strictObject({
    /** The answer's status; of several answers, a list; `closed` for none at all. */
    status,
    /** Where a real API server answers something else than 200 to what passes: a status, or any of a list. */
    real: z.union([z.number(), z.array(z.number())]).optional(),
    upstream: z.union([
      z.literal("never"),
      z.strictObject({
        user: z.string(),
        groups: z.array(z.string()),
        target: z.string().optional(),
        has: z.record(z.string(), z.string()).optional(),
        lacks: z.array(z.string()).optional(),
      }),
    ]),
  }),
});

export type Evasion = z.infer<typeof shape> & { readonly name: string };

const folder = fileURLToPath(new URL("../evasion/", import.meta.url));

/** The whole corpus, by file name. */
export function evasions(): readonly Evasion[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => ({ name: file.slice(0, -".yaml".length), ...shape.parse(parse(readFileSync(folder + file, "utf8"))) }));
}

const escapes: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" };

/** The bytes of a request; `agent` becomes its User-Agent, by which an audit log tells it. */
export function requestBytes(request: string, agent: string): Buffer {
  const lines = request.replace(/\n$/, "").split("\n");
  if (lines[1]?.startsWith("Host:")) lines.splice(2, 0, `User-Agent: ${agent}`);
  if (!lines.includes("")) lines.push("");
  const text = lines
    .map((line) => line.replace(/^\{\{pad (\d+)\}\}$/, (_, count: string) => Array.from({ length: Number(count) }, (_, index) => `X-Pad-${String(index)}: x`).join("\r\n")))
    .join("\r\n");
  const bytes = text.replace(/\\(?:x([0-9a-f]{2})|([rnt0\\]))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (escapes[letter] ?? "") : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(`${bytes}\r\n`, "latin1");
}

/** Sends bytes over TLS; resolves with the statuses and the text of what was answered once as many as expected came, or the peer hung up. */
export async function sendRaw(
  options: { readonly port: number; readonly ca: string; readonly credentials: ClientCredentials | undefined; readonly servername: string | undefined },
  bytes: Buffer,
  answers: number,
): Promise<{ readonly statuses: readonly number[]; readonly text: string }> {
  const { port, ca, credentials, servername } = options;
  const socket = connect({ host: "127.0.0.1", port, ca, servername: servername ?? "localhost", ALPNProtocols: ["http/1.1"], ...credentials });
  try {
    await once(socket, "secureConnect");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    // A reset is one way of hanging up.
    socket.on("error", () => undefined);
    socket.write(bytes);
    const statuses = (): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
    for (let waited = 0; !socket.readableEnded && !socket.destroyed && statuses().length < answers; waited += 5) {
      if (waited > 60_000) throw new Error(`no answer in a minute; so far ${JSON.stringify(text.slice(0, 500))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // What should not come gets a moment to come.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { statuses: statuses(), text };
  } finally {
    socket.destroy();
  }
}
