import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";

/** Who a request is made as, after impersonation. */
export interface Principal {
  readonly name: string;
  readonly groups: readonly string[];
}

/** A refusal with its HTTP status and Kubernetes reason. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

/** What a request wants to do. */
export interface Access {
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name?: string | undefined;
  readonly group?: string | undefined;
}

/** The common name of the one client certificate that gets in: it may impersonate, and nothing else. */
export const gatewayName = "access-gateway";

const every = ["get", "list", "watch", "create", "update", "patch", "delete"];
const rules: readonly { readonly to: string; readonly resources: readonly string[]; readonly verbs: readonly string[] }[] = [
  { to: "viewers", resources: ["pods", "pods/log"], verbs: ["get", "list", "watch"] },
  { to: "developers", resources: ["pods", "pods/log", "configmaps"], verbs: every },
  { to: "developers", resources: ["pods/exec", "pods/attach", "pods/portforward"], verbs: ["create", "get"] },
];

/** RBAC of the stand-in: roles in the namespace `default`, bound to groups. */
export function isAllowed(principal: Principal, access: Access): boolean {
  if (access.resource === "selfsubjectaccessreviews") return principal.groups.includes("system:authenticated");
  if (principal.name === gatewayName) return access.verb === "impersonate" && ["users", "groups", "serviceaccounts"].includes(access.resource);
  if (principal.groups.includes("system:masters")) return true;
  return (
    access.namespace === "default" &&
    (access.group ?? "") === "" &&
    rules.some((rule) => principal.groups.includes(rule.to) && rule.resources.includes(access.resource) && rule.verbs.includes(access.verb))
  );
}

/** Kubernetes' own words for a refusal. */
export function forbidden(principal: Principal, access: Access): Refusal {
  const [resource = "", subresource] = access.resource.split("/");
  const subject = access.name === undefined ? resource : `${resource} "${access.name}"`;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = access.namespace === "" ? " at the cluster scope" : ` in the namespace "${access.namespace}"`;
  return {
    code: 403,
    reason: "Forbidden",
    message: `${subject} is forbidden: User "${principal.name}" cannot ${access.verb} resource "${what}" in API group "${access.group ?? ""}"${where}`,
  };
}

function values(request: IncomingMessage, name: string): readonly string[] {
  const found: string[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    if (request.rawHeaders[index]?.toLowerCase() === name) found.push(request.rawHeaders[index + 1] ?? "");
  }
  return found;
}

/** Authenticates by client certificate and applies impersonation as the real server does. */
export function authenticate(request: IncomingMessage): Principal | Refusal {
  const { socket } = request;
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const own = certificate?.subject.replace(/^CN=/, "");
  if (own === undefined) return { code: 401, reason: "Unauthorized", message: "Unauthorized" };
  const gateway: Principal = { name: own, groups: ["system:authenticated"] };
  const [user, ...others] = values(request, "impersonate-user");
  const groups = values(request, "impersonate-group");
  const strange = request.rawHeaders.find((name, index) => index % 2 === 0 && /^impersonate-(?:uid|extra-)/i.test(name));
  if (user === undefined) {
    return groups.length === 0 && strange === undefined ? gateway : { code: 400, reason: "BadRequest", message: "requested impersonation without a user" };
  }
  if (others.length > 0) return { code: 400, reason: "BadRequest", message: "more than one Impersonate-User" };
  if (strange !== undefined) return forbidden(gateway, { verb: "impersonate", resource: "userextras", namespace: "", name: strange });
  if (!isAllowed(gateway, { verb: "impersonate", resource: "users", namespace: "" })) return forbidden(gateway, { verb: "impersonate", resource: "users", namespace: "", name: user });
  return { name: user, groups };
}
