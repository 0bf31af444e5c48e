import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Gauge, Registry, collectDefaultMetrics } from "prom-client";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { formatAddress } from "./addresses.ts";

/** What the diagnostics tell of the gateway now. */
export interface DiagnosticsSource {
  /** Why the gateway should get no new connections, in words; undefined when it is ready. */
  notReady(): string | undefined;
  /** Numbers by metric name (without prefix) and, where there are several, by the value of its one label. */
  readonly gauges: readonly {
    readonly name: string;
    readonly help: string;
    readonly label?: string;
    read(): readonly { readonly value: number; readonly of?: string }[];
  }[];
}

/** `/healthz`, `/readyz` and `/metrics` on plain HTTP, for the machine's own monitoring. */
export interface Diagnostics {
  readonly address: AddressInfo;
  close(): Promise<void>;
}

function createRegistry(source: DiagnosticsSource): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name, help, label, read } of source.gauges) {
    new Gauge({
      name: `gatehouse_${name}`,
      help,
      registers: [registry],
      labelNames: label === undefined ? [] : [label],
      collect() {
        this.reset();
        for (const { value, of } of read()) {
          if (label === undefined || of === undefined) this.set(value);
          else this.set({ [label]: of }, value);
        }
      },
    });
  }
  return registry;
}

async function answer(path: string, source: DiagnosticsSource, registry: Registry): Promise<{ status: number; type: string; body: string }> {
  const json = (status: number, text: string): { status: number; type: string; body: string } => ({
    status,
    type: "application/json",
    body: `${JSON.stringify({ status: text })}\n`,
  });
  if (path === "/healthz") return json(200, "ok");
  if (path === "/readyz") {
    const problem = source.notReady();
    return problem === undefined ? json(200, "ok") : json(503, problem);
  }
  if (path === "/metrics") return { status: 200, type: registry.contentType, body: await registry.metrics() };
  return { status: 404, type: "text/plain; charset=utf-8", body: "/healthz, /readyz, /metrics\n" };
}

/** Opens the diagnostics listener. Throws `unavailable` where the address cannot be had. */
export async function openDiagnostics(address: { readonly host: string; readonly port: number }, source: DiagnosticsSource): Promise<Diagnostics> {
  const registry = createRegistry(source);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    answer(path, source, registry).then(
      ({ status, type, body }) => response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body),
      (error: unknown) => response.writeHead(500, { "content-type": "text/plain; charset=utf-8" }).end(`${errorMessage(error)}\n`),
    );
  });
  server.maxConnections = 100;
  server.listen({ host: address.host, port: address.port });
  try {
    await once(server, "listening");
  } catch (error) {
    throw new GatehouseError("unavailable", `diag: cannot listen on ${formatAddress(address.host, address.port)}: ${errorMessage(error)}`, { cause: error });
  }
  return {
    address: server.address() as AddressInfo,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        registry.clear();
      }),
  };
}
