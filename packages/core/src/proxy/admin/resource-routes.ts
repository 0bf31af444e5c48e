import type { FastifyInstance, FastifyRequest } from "fastify";
import { adminItems, putRequest, type AdminItems, type ChangeResponse, type PutRequest } from "../../api/index.ts";
import type { Admin, AdminChange } from "../../auth/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { parseRef, parseResource, resourceToJson, type ResourceRef } from "../../resources/index.ts";
import { parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";

function refOf(request: FastifyRequest): ResourceRef {
  return parseRef((request.params as { "*": string })["*"]);
}

function modeOf(request: PutRequest): "create" | "upsert" | { readonly revision: number } {
  if (request.mode !== "update") return request.mode;
  if (request.revision === undefined) throw new GatehouseError("bad_parameter", "an update needs the revision that it was made from");
  return { revision: request.revision };
}

function changeBody(change: AdminChange): ChangeResponse {
  const { kind, name, outcome, revision, streams, notes } = change;
  return { kind, name, outcome, revision, streams: { ...streams }, ...(notes === undefined ? {} : { notes: [...notes] }) };
}

/** Resources in and out. */
export function resourceRoutes(app: FastifyInstance, admin: Admin, callerOf: CallerOf): void {
  app.get<{ Querystring: { with_secrets?: string | string[] } }>("/gatehouse/v1/resources/*", async (request): Promise<AdminItems> => {
    const withSecrets = request.query.with_secrets === "true";
    const items = await admin.get(callerOf(request.raw), refOf(request), { withSecrets });
    return adminItems.parse({ items: items.map(({ resource, revision, id }) => ({ resource: resourceToJson(resource), revision, ...(id === undefined ? {} : { id }) })) });
  });

  app.put("/gatehouse/v1/resources", async (request) => {
    const caller = callerOf(request.raw);
    const body = parseRequest(putRequest, request.body);
    return changeBody(await admin.put(caller, parseResource(body.resource), modeOf(body)));
  });

  app.delete("/gatehouse/v1/resources/*", async (request) => changeBody(await admin.remove(callerOf(request.raw), refOf(request))));
}
