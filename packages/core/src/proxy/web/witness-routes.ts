import type { FastifyInstance, preHandlerAsyncHookHandler } from "fastify";
import type { WitnessKeeper } from "../../audit/index.ts";
import { GatehouseError } from "../../base/index.ts";

/** Another gateway hands over a checkpoint of its log: its line, as plain text. */
export function witnessRoutes(app: FastifyInstance, keeper: WitnessKeeper, limit: preHandlerAsyncHookHandler): void {
  app.post<{ Params: { name: string } }>("/gatehouse/v1/witness/:name", { preHandler: limit }, async (request, reply) => {
    if (typeof request.body !== "string") throw new GatehouseError("bad_parameter", "a checkpoint is plain text");
    await keeper.accept(request.params.name, request.headers.authorization, request.body);
    return reply.status(204).send();
  });
}
