import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { nodesPath, type NodeItem } from "../../api/index.ts";
import type { AuthService, Identity, NodeEntry } from "../../auth/index.ts";
import { formatNodeAddress } from "../../resources/index.ts";

/** Accounts that the person may use on a host now. */
function loginsOn({ gatekeeper }: Pick<AuthService, "gatekeeper">, identity: Identity, logins: readonly string[], { id, hostname, labels }: NodeEntry): string[] {
  const target = { id, name: hostname, labels };
  return logins.filter((login) => gatekeeper.node(identity, target, login).allowed);
}

/** The hosts that the caller may log in to. Who may log in to none is told of none. */
export function nodeRoutes(app: FastifyInstance, auth: Pick<AuthService, "gatekeeper" | "nodes">, personOf: (request: IncomingMessage) => Identity): void {
  app.get(nodesPath, (request): { readonly items: readonly NodeItem[] } => {
    const identity = personOf(request.raw);
    const logins = identity.roles.logins();
    const items = auth.nodes.list().flatMap((node): readonly NodeItem[] => {
      const own = loginsOn(auth, identity, logins, node);
      return own.length === 0 ? [] : [{ id: node.id, hostname: node.hostname, addr: formatNodeAddress(node.addr), labels: { ...node.labels }, logins: own }];
    });
    return { items: items.toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1)) };
  });
}
