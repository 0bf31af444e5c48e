import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { YAMLSeq, isMap, isScalar, isSeq, parseDocument, type Document, type YAMLMap } from "yaml";

/** The three lists of a kubeconfig. */
export const sections = ["clusters", "users", "contexts"] as const;
export type Section = (typeof sections)[number];

const bodies: Readonly<Record<Section, string>> = { clusters: "cluster", users: "user", contexts: "context" };
/** Name of the extension that marks an entry as written by login. */
const mark = "gatehouse";

function list(document: Document, section: Section): YAMLSeq | undefined {
  const node: unknown = document.get(section);
  return isSeq(node) ? node : undefined;
}

function items(document: Document, section: Section): readonly YAMLMap[] {
  return list(document, section)?.items.filter((item): item is YAMLMap => isMap(item)) ?? [];
}

/** Names in one list of a document, in its order. */
export function names(document: Document, section: Section): readonly string[] {
  return items(document, section).map((item) => String(item.get("name")));
}

interface Body {
  readonly extensions?: readonly { readonly name?: unknown; readonly extension?: { readonly proxy?: unknown } | null }[] | null;
  readonly exec?: { readonly command?: unknown; readonly args?: readonly unknown[] | null } | null;
}

function bodyOf(item: YAMLMap, section: Section): Body {
  const body: unknown = item.get(bodies[section]);
  return isMap(body) ? (body.toJSON() as Body) : {};
}

/** The gateway (`host:port`) whose login wrote this entry, by its mark, or for a user by the plugin that it runs; undefined for anyone else's. */
function owner(item: YAMLMap, section: Section): string | undefined {
  const { extensions, exec } = bodyOf(item, section);
  const proxy = Array.isArray(extensions) ? (extensions as NonNullable<Body["extensions"]>).find((extension) => extension.name === mark)?.extension?.proxy : undefined;
  if (typeof proxy === "string") return proxy;
  const args = Array.isArray(exec?.args) ? (exec.args as readonly unknown[]).map(String) : [];
  if (typeof exec?.command !== "string" || !/^tsh(\.cmd)?$/.test(basename(exec.command.replaceAll("\\", "/")))) return undefined;
  if (args[0] !== "kube" || args[1] !== "credentials") return undefined;
  return args.find((argument) => argument.startsWith("--proxy="))?.slice("--proxy=".length);
}

/** Who wrote the entry of this name: a gateway's login, someone else (`foreign`), or nobody (undefined). */
export function ownerOf(document: Document, section: Section, name: string): { readonly proxy: string } | "foreign" | undefined {
  const item = items(document, section).find((candidate) => String(candidate.get("name")) === name);
  if (!item) return undefined;
  const proxy = owner(item, section);
  return proxy === undefined ? "foreign" : { proxy };
}

/** Adds the entry, or replaces what it holds; a context keeps the namespace that the person set. */
export function setEntry(document: Document, section: Section, name: string, body: Readonly<Record<string, unknown>>, proxy: string): void {
  const marked = { ...body, extensions: [{ name: mark, extension: { proxy } }] };
  const present = list(document, section);
  const existing = items(document, section).find((item) => String(item.get("name")) === name);
  const namespace: unknown = section === "contexts" ? existing?.getIn([bodies[section], "namespace"]) : undefined;
  const entry = document.createNode({ [bodies[section]]: namespace === undefined ? marked : { ...marked, namespace }, name });
  if (present) {
    if (existing && isDeepStrictEqual(existing.toJSON(), entry.toJSON())) return;
    if (existing) present.items.splice(present.items.indexOf(existing), 1, entry);
    else present.add(entry);
    return;
  }
  const fresh = new YAMLSeq(document.schema);
  fresh.add(entry);
  document.set(section, fresh);
}

/** Removes what this gateway's login wrote, except what `keep` names. Returns the names of the contexts that are gone. */
export function removeEntries(document: Document, proxy: string, keep: ReadonlySet<string> = new Set()): readonly string[] {
  const gone: string[] = [];
  for (const section of sections) {
    const present = list(document, section);
    if (!present) continue;
    for (const item of items(document, section)) {
      const name = String(item.get("name"));
      if (keep.has(name) || owner(item, section) !== proxy) continue;
      present.items.splice(present.items.indexOf(item), 1);
      if (section === "contexts") gone.push(name);
    }
  }
  return gone;
}

/** What the users that a gateway's login wrote run, by name: the plugin's command; undefined where the certificate is written in. */
export function pluginsOf(document: Document, proxy: string): readonly { readonly name: string; readonly command: string | undefined }[] {
  return items(document, "users").filter((item) => owner(item, "users") === proxy).map((item) => {
    const command = bodyOf(item, "users").exec?.command;
    return { name: String(item.get("name")), command: typeof command === "string" ? command : undefined };
  });
}

const ofEmbedded = new Set(["client-certificate-data", "client-key-data", "extensions"]);

/** Users of a gateway's login that hold key and certificate, base64, and nothing that somebody else has put there. */
export function embeddedUsers(document: Document, proxy: string): readonly { readonly certificate: string; readonly key: string; replace(certificate: string): void }[] {
  return items(document, "users").flatMap((item) => {
    const body: unknown = item.get(bodies.users);
    if (owner(item, "users") !== proxy || !isMap(body)) return [];
    const fields = body.toJSON() as Readonly<Record<string, unknown>>;
    const { "client-certificate-data": certificate, "client-key-data": key } = fields;
    if (typeof certificate !== "string" || typeof key !== "string" || Object.keys(fields).some((field) => !ofEmbedded.has(field))) return [];
    const replace = (renewed: string): void => {
      const present = list(document, "users");
      // A new node: what stands in the text elsewhere is kept to the letter.
      present?.items.splice(present.items.indexOf(item), 1, document.createNode({ ...(item.toJSON() as object), [bodies.users]: { ...fields, "client-certificate-data": renewed } }));
    };
    return [{ certificate, key, replace }];
  });
}

/** A context that a login wrote. */
export interface OurContext {
  readonly name: string;
  readonly proxy: string;
  /** As the person set it; undefined where nobody did. */
  readonly namespace: string | undefined;
}

/** Contexts that any login wrote. */
export function ourContexts(document: Document): readonly OurContext[] {
  return items(document, "contexts").flatMap((item) => {
    const proxy = owner(item, "contexts");
    const namespace: unknown = item.getIn([bodies.contexts, "namespace"]);
    return proxy === undefined ? [] : [{ name: String(item.get("name")), proxy, namespace: typeof namespace === "string" && namespace !== "" ? namespace : undefined }];
  });
}

/** `current-context`, or undefined where none is selected. */
export function currentContext(document: Document): string | undefined {
  const node: unknown = document.get("current-context", true);
  return isScalar(node) && typeof node.value === "string" && node.value !== "" ? node.value : undefined;
}

/** In an order that kubectl does not write. */
const initial = { apiVersion: "v1", kind: "Config", clusters: [], contexts: [], "current-context": "", users: [] };

/** Whether a kubeconfig holds nothing at all but what {@link initialise} gives it: a login made it. */
export function isInitial(text: string): boolean {
  return !text.includes("#") && JSON.stringify(parseDocument(text).toJS()) === JSON.stringify(initial);
}

/** Gives a document what kubectl expects of a new one. */
export function initialise(document: Document): void {
  if (isMap(document.contents) && document.contents.items.length > 0) return;
  const fresh = document.createNode(initial);
  if (isMap(fresh)) for (const pair of fresh.items) if (isSeq(pair.value)) pair.value.flow = false;
  document.contents = fresh;
}
