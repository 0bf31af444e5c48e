import type { z } from "zod";
import { GatehouseError, didYouMean, escapeLine } from "../base/index.ts";
import { describePlace, readDocuments, type SourceDocument } from "./document.ts";
import { newNameProblem } from "./new-name.ts";
import { formatPath, type Path } from "./path.ts";
import { maxProblems, type Problem } from "./problem.ts";
import { problemsOf } from "./problems.ts";
import { lockV2 } from "./schema/lock.ts";
import { githubV3, oidc, samlV2 } from "./schema/connectors.ts";
import { botV1 } from "./schema/bot.ts";
import { nodeV2 } from "./schema/node.ts";
import { preferenceV2 } from "./schema/others.ts";
import { tokenV2 } from "./schema/token.ts";
import { roleV2, roleV3 } from "./schema/role.ts";
import { userV1, userV2 } from "./schema/user.ts";
import type { Kind, ParsedResource, Position, Resource } from "./types.ts";

/** What {@link parseResource} tolerates. */
export interface ParseOptions {
  /** Accepts what `redact` hid, and names that older versions allowed: for what is stored and answers of the gateway, never for what is to be stored. */
  readonly redacted?: boolean | undefined;
}

const maxResources = 1000;
const maxDepth = 40;
const maxValues = 100_000;

/** Schemas by kind and version, the newest first. */
const schemas: Readonly<Record<Kind, Readonly<Record<string, z.ZodType<Resource>>>>> = {
  role: { v3: roleV3, v2: roleV2 },
  user: { v2: userV2, v1: userV1 },
  github: { v3: githubV3 },
  oidc: { v3: oidc("v3"), v2: oidc("v2") },
  saml: { v2: samlV2 },
  cluster_auth_preference: { v2: preferenceV2 },
  token: { v2: tokenV2(false) },
  lock: { v2: lockV2 },
  bot: { v1: botV1 },
  node: { v2: nodeV2 },
};
const redactedToken: z.ZodType<Resource> = tokenV2(true);
const kinds = Object.keys(schemas);

type Outcome = { readonly resource: Resource } | { readonly title: string; readonly problems: readonly Problem[] };

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readOne(value: unknown, options: ParseOptions): Outcome {
  const wrong = (title: string, path: Path, message: string): Outcome => ({ title, problems: [{ path, message, at: "value" }] });
  if (!isMapping(value)) return wrong("resource", [], "must be a mapping with kind, version, metadata and spec");
  const { kind, version } = value;
  const known = typeof kind === "string" ? kind.toLowerCase() : undefined;
  if (known === undefined) return wrong("resource", ["kind"], kind === undefined ? `is missing; one of: ${kinds.join(", ")}` : "must be text");
  if (!Object.hasOwn(schemas, known)) {
    return wrong("resource", ["kind"], `unknown kind "${escapeLine(String(kind).slice(0, 80))}"${didYouMean(known, kinds) || `; known: ${kinds.join(", ")}`}`);
  }
  const title = titleOf(known, value);
  const versions = schemas[known as Kind];
  const chosen = version === undefined && known === "user" && "name" in value ? "v1" : version;
  if (typeof chosen !== "string" || !Object.hasOwn(versions, chosen)) {
    const list = Object.keys(versions).join(", ");
    return wrong(title, ["version"], typeof chosen === "string" ? `version ${escapeLine(chosen.slice(0, 40))} of ${known} is not supported; known: ${list}` : `${chosen === undefined ? "is missing; " : "must be "}one of: ${list}`);
  }
  const schema = known === "token" && options.redacted === true ? redactedToken : versions[chosen];
  const result = schema?.safeParse(known === kind ? value : { ...value, kind: known });
  if (!result) return wrong(title, ["version"], "is not supported");
  if (!result.success) return { title, problems: problemsOf(result.error.issues, value) };
  const problem = options.redacted === true ? undefined : newNameProblem(result.data, chosen === "v1" ? ["name"] : ["metadata", "name"]);
  return problem ? { title, problems: [problem] } : { resource: result.data };
}

/** `role "admin"`, as far as it can be told. A token's name is its secret. */
function titleOf(kind: string, value: Record<string, unknown>): string {
  const { metadata } = value;
  const name = isMapping(metadata) ? metadata["name"] : value["name"];
  return typeof name === "string" && name !== "" && kind !== "token" ? `${kind} "${escapeLine(name.slice(0, 80))}"` : kind;
}

function tooMany(total: number): string[] {
  return total > maxProblems ? [`… and ${total - maxProblems} more`] : [];
}

/**
 * Resources of a YAML or JSON text (several documents, or a JSON array). Throws `bad_parameter` with every problem (at most ten) on a line of its own,
 * each with `file:line:column` and the field.
 */
export function parseResources(text: string, file: string): ParsedResource[] {
  const shownFile = escapeLine(file);
  const found: ParsedResource[] = [];
  const lines: string[] = [];
  let total = 0;
  let lastTitle = "";
  for (const [document, prefix, value] of eachResource(readDocuments(text, shownFile))) {
    if (found.length >= maxResources) throw new GatehouseError("bad_parameter", `${shownFile} holds more than ${maxResources} resources`, { hint: "split it into several files" });
    const outcome = readOne(value, {});
    if ("resource" in outcome) {
      found.push({ resource: outcome.resource, position: document.find(prefix, "value") });
      continue;
    }
    total += outcome.problems.length;
    for (const { problem, where } of inOrder(outcome.problems, (problem) => document.find([...prefix, ...problem.path], problem.at))) {
      if (lines.length >= maxProblems) break;
      const place = describePlace(shownFile, where, problem.path);
      const line = `${place}${problem.path.length > 0 ? ":" : ""} ${problem.message}`;
      lines.push(outcome.title === lastTitle ? line : `${outcome.title} is not valid: ${line}`);
      lastTitle = outcome.title;
    }
  }
  if (total > 0) throw new GatehouseError("bad_parameter", [...lines, ...tooMany(total)].join("\n"));
  return found;
}

/** Problems as a reader of the file meets them. */
function inOrder(problems: readonly Problem[], find: (problem: Problem) => Position): { readonly problem: Problem; readonly where: Position }[] {
  const placed = problems.map((problem) => ({ problem, where: find(problem) }));
  return placed.sort((a, b) => a.where.line - b.where.line || a.where.column - b.where.column);
}

/** Documents, and the items of a document that is a list. */
function* eachResource(documents: readonly SourceDocument[]): Generator<readonly [SourceDocument, Path, unknown]> {
  for (const document of documents) {
    if (!Array.isArray(document.value)) yield [document, [], document.value];
    else for (const [index, item] of document.value.entries()) yield [document, [index], item];
  }
}

/** A resource from a JSON value. Throws `bad_parameter` with every problem (at most ten), each with its field. */
export function parseResource(value: unknown, options: ParseOptions = {}): Resource {
  checkSize(value);
  const outcome = readOne(value, options);
  if ("resource" in outcome) return outcome.resource;
  const lines = outcome.problems.slice(0, maxProblems).map((problem, index) => {
    const line = `${formatPath(problem.path)}${problem.path.length > 0 ? ": " : ""}${problem.message}`;
    return index === 0 ? `${outcome.title} is not valid: ${line}` : line;
  });
  throw new GatehouseError("bad_parameter", [...lines, ...tooMany(outcome.problems.length)].join("\n"));
}

/** Refuses values too deep or too many to be a resource, and keys that JavaScript gives a meaning. */
function checkSize(value: unknown): void {
  let count = 0;
  const visit = (item: unknown, depth: number): void => {
    count += 1;
    if (count > maxValues || depth > maxDepth) throw new GatehouseError("bad_parameter", "the resource is too large or nested too deeply");
    if (Array.isArray(item)) for (const part of item) visit(part, depth + 1);
    else if (typeof item === "object" && item !== null) {
      for (const [key, part] of Object.entries(item)) {
        if (key === "__proto__") throw new GatehouseError("bad_parameter", 'the resource has the key "__proto__", which cannot be used');
        visit(part, depth + 1);
      }
    }
  };
  visit(value, 0);
}
