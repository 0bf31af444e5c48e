import { z } from "zod";
import type { LabelSelector, Role, RoleConditions, RoleOptions, Rule } from "../types.ts";
import { rangeProblem } from "../../formats/index.ts";
import { count, duration, fields, list, readBy, text, truth } from "./fields.ts";
import { implicitRoleName, systemRoles } from "./kinds.ts";
import { metadata, word } from "./metadata.ts";
import { ruleKind, rules } from "./rule.ts";
import { kubernetesGroup, kubernetesUser, login, selector } from "./values.ts";

/** What `max_session_ttl` is where a role does not say: 30 h, in ms. */
export const defaultSessionTtl = 30 * 3_600_000;

const maxSessionsLimit = 1_000_000;
const maxSourceAddresses = 64;
const maxForceCommand = 4096;

const sourceAddress: z.ZodType<string> = readBy((value, fail) => {
  const range = typeof value === "string" ? value : "";
  const problem = rangeProblem(range);
  if (problem !== undefined) fail(problem);
  return range;
});

const forceCommand: z.ZodType<string | undefined> = text(maxForceCommand).regex(/^[^\n\t]*$/, "has control characters").nullish().transform((value) => value ?? undefined);

/** Selects everything. */
export const everything: LabelSelector = { "*": ["*"] };

const options: z.ZodType<RoleOptions> = z.preprocess(
  (value) => value ?? {},
  fields({
    max_session_ttl: duration(defaultSessionTtl, { zeroMeans: defaultSessionTtl }),
    forward_agent: truth(false),
    port_forwarding: truth(true),
    cert_format: word(["standard", "oldssh"], "standard"),
    client_idle_timeout: duration(0),
    disconnect_expired_cert: truth(false),
    allow_system_groups_from_traits: truth(false),
    kubernetes_node_proxy: truth(false),
    record_stdin: truth(false),
    headless_login: truth(true),
    certificate_renewal: word(["off", "local", "any"], "local"),
    max_sessions: count(maxSessionsLimit),
    record_session: word(["strict", "best_effort"]).nullish().transform((value) => value ?? undefined),
    ssh_recording: word(["proxy", "off"]).nullish().transform((value) => value ?? undefined),
    force_command: forceCommand,
    source_addresses: list(sourceAddress).refine((ranges) => ranges.length <= maxSourceAddresses, `has more than ${maxSourceAddresses} ranges`),
    x11_forwarding: truth(false),
  }),
);

/** What a role says that says nothing. */
export const defaultRoleOptions: RoleOptions = options.parse({});

/** Namespaces of v3, of which there is one. */
const namespaces: z.ZodType<undefined> = readBy((value, fail) => {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((item) => item !== "default")) fail("must be [default]: there are no other namespaces");
  return undefined;
});

const maxSessionTtl: z.ZodType<undefined> = z.unknown().transform(() => undefined);

function conditions(side: "allow" | "deny"): z.ZodType<RoleConditions> {
  const absent = side === "allow" ? everything : {};
  return z.preprocess(
    (value) => value ?? {},
    fields({
      logins: list(login),
      node_labels: selector(absent),
      kubernetes_groups: list(kubernetesGroup(side)),
      kubernetes_users: list(kubernetesUser(side)),
      kubernetes_labels: selector(absent),
      namespaces,
      rules: rules(side),
    }).transform(({ logins, node_labels, kubernetes_groups, kubernetes_users, kubernetes_labels, rules: given }) => ({ logins, node_labels, kubernetes_groups, kubernetes_users, kubernetes_labels, rules: given })),
  );
}

/** Why a role may not be called so. */
export function roleNameProblem(name: string): string | undefined {
  if ((systemRoles as readonly string[]).includes(name)) return `"${name}" is a built-in role of machines; choose another name`;
  return name === implicitRoleName ? `"${name}" is the role that everyone has; choose another name` : undefined;
}

/** `role` v3 (reference §8.3). */
export const roleV3: z.ZodType<Role> = fields({
  kind: z.literal("role"),
  version: z.literal("v3"),
  metadata: metadata(roleNameProblem),
  // v3's own schema tolerates and ignores `spec.max_session_ttl`.
  spec: fields({ options, allow: conditions("allow"), deny: conditions("deny"), max_session_ttl: maxSessionTtl }).transform((spec) => ({ options: spec.options, allow: spec.allow, deny: spec.deny })),
});

/** Rights of v2 by kind, as rules of v3. */
const resources: z.ZodType<readonly Rule[]> = z
  .record(ruleKind, z.array(z.enum(["read", "write"])).max(2, "has more than read and write"))
  .nullish()
  .transform((value) =>
    Object.entries(value ?? {})
      .filter(([, rights]) => rights.length > 0)
      .map(([kind, rights]) => ({ resources: [kind], verbs: verbsOf(rights.includes("read"), rights.includes("write")) })),
  );

function verbsOf(read: boolean, write: boolean): string[] {
  if (!write) return ["list", "read"];
  return read ? ["list", "create", "read", "update", "delete"] : ["create", "read", "update", "delete"];
}

/** `role` v2, read into v3 (reference §8.3). Missing node labels select nothing. */
export const roleV2: z.ZodType<Role> = fields({
  kind: z.literal("role"),
  version: z.literal("v2"),
  metadata: metadata(roleNameProblem),
  spec: fields({
    max_session_ttl: duration(defaultSessionTtl, { zeroMeans: defaultSessionTtl }),
    logins: list(login),
    node_labels: selector({}),
    namespaces,
    resources,
    forward_agent: truth(false),
  }),
}).transform(({ kind, metadata: meta, spec }): Role => ({
  kind,
  version: "v3",
  metadata: meta,
  spec: {
    options: { ...defaultRoleOptions, max_session_ttl: spec.max_session_ttl, forward_agent: spec.forward_agent },
    // v2 knew no Kubernetes groups, so it matters not which clusters are selected.
    allow: { logins: spec.logins, node_labels: spec.node_labels, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: everything, rules: spec.resources },
    deny: { logins: [], node_labels: {}, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: {}, rules: [] },
  },
}));
