import type { FastifyInstance } from "fastify";
import type { StatusResponse } from "../../api/index.ts";
import type { AuditStatus } from "../../audit/index.ts";
import { GatehouseError } from "../../base/index.ts";
import type { CallerOf } from "./caller.ts";
import type { AdminOptions } from "./types.ts";

/** The proof of the audit log, as the status tells it. */
export function auditView({ chain, checkpoint, problem, witnesses }: AuditStatus): NonNullable<StatusResponse["audit"]> {
  return {
    lines: chain.lines,
    ...(checkpoint === undefined ? {} : { checkpoint: { ...checkpoint } }),
    ...(problem === undefined ? {} : { problem }),
    witnesses: witnesses.map(({ name, waiting, lag, dropped, problem: why }) => ({ name, waiting, lag, dropped, ...(why === undefined ? {} : { problem: why }) })),
  };
}

/** The audit log, and what this gateway keeps as a witness, for whoever may read events. */
export function eventRoutes(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf): void {
  app.get<{ Params: { name: string } }>("/gatehouse/v1/witness/:name", async (request, reply) => {
    const rule = options.auth.admin.explainRule(callerOf(request.raw), "event", "read");
    if (!rule.allowed) throw new GatehouseError("access_denied", rule.reasons[0]?.text ?? "no role allows to read events");
    return reply.type("application/x-ndjson").send(await options.witness.read(request.params.name));
  });
}
