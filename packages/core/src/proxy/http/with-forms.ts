import formbody from "@fastify/formbody";
import type { FastifyInstance } from "fastify";

/** Routes that read forms: with an answer of a key in one, a form has a few kilobytes. */
export async function withForms(app: FastifyInstance, routes: (scope: FastifyInstance) => void): Promise<void> {
  await app.register(async (scope) => {
    await scope.register(formbody, { bodyLimit: 32 * 1024 });
    routes(scope);
  });
}
