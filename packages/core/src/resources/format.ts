import { Document, Scalar, visit } from "yaml";
import { escapeInQuotes, escapeText, formatDuration, formatJson } from "../base/index.ts";
import { readDocuments, type SourceDocument } from "./document.ts";
import { parsePath } from "./path.ts";
import { redact } from "./redact.ts";
import { everything } from "./schema/role.ts";
import type { LabelSelector, Metadata, Position, Resource, Role, RoleConditions } from "./types.ts";

/** Formats that {@link formatResources} writes. */
export type ResourceFormat = "yaml" | "json";

/** The resource as it is written on the wire and in files: durations as Go text, lists of one label value as text, what is empty left out (reference §8.3). */
export function resourceToJson(resource: Resource): Record<string, unknown> {
  const { kind, version } = resource;
  const metadata = metadataToJson(resource.metadata);
  if (resource.kind === "role") return { kind, version, metadata, spec: roleSpec(resource) };
  if (resource.kind === "token") return { kind, version, metadata, spec: withoutEmpty({ ...resource.spec, allow: resource.spec.allow?.map(selectorToJson) }, []) };
  if (resource.kind === "bot") {
    const { max_ttl: ttl, ...spec } = resource.spec;
    return { kind, version, metadata, spec: withoutEmpty({ ...spec, max_ttl: ttl === 0 ? undefined : formatDuration(ttl) }, ["roles"]) };
  }
  if (resource.kind === "node") return { kind, version, sub_kind: resource.sub_kind, metadata, spec: withoutEmpty(resource.spec, []) };
  const { spec } = resource;
  return { kind, version, metadata, spec: withoutEmpty("display" in spec && spec.display === "" ? { ...spec, display: undefined } : spec, ["roles", "traits"]) };
}

function metadataToJson({ name, description, expires, labels }: Metadata): Record<string, unknown> {
  return withoutEmpty({ name, description, expires, labels }, []);
}

/** Without what is undefined, and without empty lists and mappings but for those to keep. */
function withoutEmpty(value: object, keep: readonly string[]): Record<string, unknown> {
  const kept = Object.entries(value).filter(([key, item]) => {
    if (item === undefined) return false;
    return keep.includes(key) || typeof item !== "object" || item === null || Object.keys(item as object).length > 0;
  });
  return Object.fromEntries(kept);
}

function roleSpec({ spec }: Role): Record<string, unknown> {
  const { options } = spec;
  return {
    options: {
      max_session_ttl: formatDuration(options.max_session_ttl),
      forward_agent: options.forward_agent,
      port_forwarding: options.port_forwarding,
      cert_format: options.cert_format,
      client_idle_timeout: formatDuration(options.client_idle_timeout),
      disconnect_expired_cert: options.disconnect_expired_cert,
      // Options that v3 does not know are written only where they say something, so that v3 can read the rest.
      ...(options.allow_system_groups_from_traits ? { allow_system_groups_from_traits: true } : {}),
      ...(options.kubernetes_node_proxy ? { kubernetes_node_proxy: true } : {}),
      ...(options.record_stdin ? { record_stdin: true } : {}),
      ...(options.headless_login ? {} : { headless_login: false }),
      ...(options.certificate_renewal === "local" ? {} : { certificate_renewal: options.certificate_renewal }),
      ...(options.max_sessions > 0 ? { max_sessions: options.max_sessions } : {}),
      ...(options.record_session === undefined ? {} : { record_session: options.record_session }),
      ...(options.ssh_recording === undefined ? {} : { ssh_recording: options.ssh_recording }),
      ...(options.force_command === undefined ? {} : { force_command: options.force_command }),
      ...(options.source_addresses.length > 0 ? { source_addresses: options.source_addresses } : {}),
      ...(options.x11_forwarding ? { x11_forwarding: true } : {}),
    },
    allow: conditionsToJson(spec.allow, "allow"),
    deny: conditionsToJson(spec.deny, "deny"),
  };
}

function conditionsToJson(given: RoleConditions, side: "allow" | "deny"): Record<string, unknown> {
  const rules = given.rules.map(({ resources, verbs, where, actions }) => withoutEmpty({ resources, verbs, where, actions }, ["resources", "verbs"]));
  // Absent labels mean everything under allow and nothing under deny, so an empty allow has to be written.
  const always = side === "allow" ? ["node_labels"] : [];
  const all = side === "allow" && isEverything(given.kubernetes_labels);
  return withoutEmpty(
    {
      logins: given.logins,
      node_labels: selectorToJson(given.node_labels),
      kubernetes_groups: given.kubernetes_groups,
      kubernetes_users: given.kubernetes_users,
      kubernetes_labels: all ? undefined : selectorToJson(given.kubernetes_labels),
      rules,
    },
    [...always, ...(side === "allow" ? ["kubernetes_labels"] : [])],
  );
}

function isEverything(selector: LabelSelector): boolean {
  return JSON.stringify(selector) === JSON.stringify(everything);
}

function selectorToJson(selector: LabelSelector): Record<string, unknown> {
  return Object.fromEntries(Object.entries(selector).map(([key, values]) => [key, values.length === 1 ? values[0] : values]));
}

/**
 * Text that `parseResources` reads back: YAML documents, or one JSON object (an array for several or none). Secrets only where asked for.
 * It is safe for a terminal as it is: characters that could act there are written as escapes.
 */
export function formatResources(resources: readonly Resource[], format: ResourceFormat, options: { readonly withSecrets: boolean }): string {
  const values = resources.map((resource) => resourceToJson(options.withSecrets ? resource : redact(resource)));
  if (format === "yaml") return values.map(toYaml).join("---\n");
  return `${formatJson(values.length === 1 ? values[0] : values, 2)}\n`;
}

// Text that YAML 1.2 reads as a number although YAML 1.1 does not.
const looksLikeNumber = /^[-+.]*[0-9][0-9a-fA-FxXoO_.:+-]*$|^[-+]?\.(?:inf|nan)$/i;

function toYaml(value: Record<string, unknown>): string {
  // YAML 1.1 rules quote `yes`, `off` and the like, so that readers of either version see text.
  const document = new Document(value, { version: "1.1", aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value !== "string") return;
      if (node.value.includes("\t") || escapeText(node.value) !== node.value || looksLikeNumber.test(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // Unsafe characters stand inside double quotes alone.
  return escapeInQuotes(document.toString({ lineWidth: 0, directives: false }));
}

const documents = new WeakMap<Resource, SourceDocument | null>();

/** Where a path (`spec.allow.logins[0]`) is in the resource's YAML as `formatResources` writes it; undefined where it is not written. */
export function locate(resource: Resource, path: string): Position | undefined {
  let document = documents.get(resource);
  if (document === undefined) {
    document = readDocuments(formatResources([resource], "yaml", { withSecrets: false }), resource.kind)[0] ?? null;
    documents.set(resource, document);
  }
  const parts = parsePath(path);
  return parts && document?.findExactly(parts);
}
