import { GatehouseError, didYouMean, escapeLine } from "../base/index.ts";
import { tokenize, type Token } from "./where-tokens.ts";

/** A value in a rule's expression: text, something of the user or the resource, or the CA type of the resource. */
export type Operand = { readonly literal: string } | { readonly path: readonly string[] } | { readonly call: "system.catype" };

/** A rule's `where` (reference §8.5). */
export type Condition =
  | { readonly op: "and" | "or"; readonly left: Condition; readonly right: Condition }
  | { readonly op: "not"; readonly operand: Condition }
  | { readonly op: "equals"; readonly left: Operand; readonly right: Operand }
  | { readonly op: "contains"; readonly list: Operand; readonly item: Operand };

/** One of a rule's `actions` (reference §8.5). */
export interface Action {
  readonly op: "log";
  readonly args: readonly Operand[];
}

const maxDepth = 32;
const maxNodes = 256;
const maxSelector = 16;
const metadataFields = ["name", "namespace", "description", "expires", "labels"];

/** What a rule can ask of a session, `session.user` and the like; `participants` is a list, the rest is text. */
export const sessionSelectors = ["sid", "proto", "kind", "user", "participants", "cluster", "namespace", "pod", "container", "login", "node"] as const;

function bad(message: string): GatehouseError {
  return new GatehouseError("bad_parameter", message);
}

/** Whether an operand is surely a list, surely text, or either (a field of the resource). */
function shapeOf(operand: Operand): "text" | "list" | "either" {
  if (!("path" in operand)) return "text";
  const [root, section, field] = operand.path;
  if (root === "user") return section === "metadata" ? "text" : "list";
  if (root === "session") return section === "participants" ? "list" : "text";
  return section === "spec" || field === "labels" ? "either" : "text";
}

/** Refuses selectors that can never be something: a typo in a rule must not decide. */
function checkSelector(path: readonly string[]): void {
  const shown = escapeLine(path.join("."));
  const fail = (name: string, known: readonly string[]): never => {
    throw bad(`unknown name "${escapeLine(name)}" in ${shown}${didYouMean(name, known) || `; known: ${known.join(", ")}`}`);
  };
  const one = (index: number, known: readonly string[]): string => {
    const name = path[index];
    if (name === undefined) throw bad(`${shown} is not a value; go on with one of: ${known.join(", ")}`);
    return known.includes(name) ? name : fail(name, known);
  };
  const end = (length: number): void => {
    if (path.length > length) throw bad(`${shown} goes too deep: ${escapeLine(path.slice(0, length).join("."))} has no parts`);
  };
  if (path.length > maxSelector) throw bad(`${shown} goes too deep`);
  const root = one(0, ["user", "resource", "session"]);
  if (root === "session") {
    one(1, sessionSelectors);
    end(2);
    return;
  }
  if (root === "user") {
    if (one(1, ["metadata", "spec"]) === "metadata") {
      one(2, ["name"]);
      end(3);
      return;
    }
    const traits = one(2, ["roles", "traits"]) === "traits";
    if (traits && path[3] === undefined) throw bad(`${shown} is not a value; name a trait: user.spec.traits["name"]`);
    end(traits ? 4 : 3);
    return;
  }
  const section = one(1, ["kind", "version", "metadata", "spec"]);
  if (section === "spec") {
    if (path[2] === undefined) throw bad(`${shown} is not a value; name a field of it`);
  } else if (section === "metadata") {
    const labels = one(2, metadataFields) === "labels";
    if (labels && path[3] === undefined) throw bad(`${shown} is not a value; name a label: resource.metadata.labels["name"]`);
    end(labels ? 4 : 3);
  } else end(2);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #nodes = 0;

  constructor(source: string) {
    this.#tokens = tokenize(source);
  }

  end(): void {
    const token = this.#tokens[this.#at];
    if (token) throw bad(`unexpected ${token.shown}`);
  }

  or(depth: number): Condition {
    if (depth > maxDepth) throw bad("the expression is nested too deeply");
    let left = this.#and(depth);
    while (this.#take("||")) left = this.#count({ op: "or", left, right: this.#and(depth) });
    return left;
  }

  #and(depth: number): Condition {
    let left = this.#unary(depth);
    while (this.#take("&&")) left = this.#count({ op: "and", left, right: this.#unary(depth) });
    return left;
  }

  #unary(depth: number): Condition {
    if (depth > maxDepth) throw bad("the expression is nested too deeply");
    if (this.#take("!")) return this.#count({ op: "not", operand: this.#unary(depth + 1) });
    if (this.#take("(")) {
      const inner = this.or(depth + 1);
      this.#need(")");
      return inner;
    }
    const { name, args } = this.call();
    if (name === "equals" || name === "contains") {
      const [first, second] = args;
      if (!first || !second || args.length > 2) throw bad(`${name} takes two values, not ${args.length}`);
      if (shapeOf(second) === "list") throw bad(`${name} compares with text, but its second value is a list`);
      if (name === "contains") {
        if (shapeOf(first) === "text") throw bad("the first value of contains is text, not a list; use equals");
        return { op: name, list: first, item: second };
      }
      if (shapeOf(first) === "list") throw bad("the first value of equals is a list; use contains");
      return { op: name, left: first, right: second };
    }
    throw bad(`unknown function "${escapeLine(name)}"${didYouMean(name, ["equals", "contains"]) || "; known: equals, contains"}`);
  }

  /** `name(value, …)`. */
  call(): { readonly name: string; readonly args: readonly Operand[] } {
    const token = this.#tokens[this.#at];
    if (token?.type !== "name") throw bad(token ? `unexpected ${token.shown}` : "the expression ends too early");
    this.#at += 1;
    if (!this.#take("(")) throw bad(`"${escapeLine(token.text)}" is not a condition; compare it with equals(…) or contains(…)`);
    const args: Operand[] = [];
    if (!this.#take(")")) {
      do args.push(this.#operand());
      while (this.#take(","));
      this.#need(")");
    }
    this.#count(args);
    return { name: token.text, args };
  }

  #operand(): Operand {
    const token = this.#tokens[this.#at];
    if (!token || token.type === "sign") throw bad(token ? `unexpected ${token.shown}` : "the expression ends too early");
    this.#at += 1;
    if (token.type === "text") return this.#count({ literal: token.text });
    const path = [token.text];
    for (;;) {
      if (this.#take(".")) path.push(this.#word("name"));
      else if (this.#take("[")) {
        path.push(this.#word("text"));
        this.#need("]");
      } else break;
    }
    if (this.#take("(")) {
      this.#need(")");
      if (path.join(".") !== "system.catype") throw bad(`unknown function "${escapeLine(path.join("."))}"; known here: system.catype`);
      return this.#count({ call: "system.catype" });
    }
    checkSelector(path);
    return this.#count({ path });
  }

  #word(type: "name" | "text"): string {
    const token = this.#tokens[this.#at];
    if (token?.type !== type) throw bad(token ? `unexpected ${token.shown}` : "the expression ends too early");
    this.#at += 1;
    return token.text;
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.type !== "sign" || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }

  #need(sign: string): void {
    if (this.#take(sign)) return;
    const token = this.#tokens[this.#at];
    throw bad(`expected "${sign}"${token ? ` but found ${token.shown}` : " at the end"}`);
  }

  #count<T>(node: T): T {
    this.#nodes += 1;
    if (this.#nodes > maxNodes) throw bad("the expression has too many parts");
    return node;
  }
}

/** Parses a rule's `where`: `&&`, `||`, `!`, parentheses, `equals`, `contains`, `system.catype` (reference §8.5). Throws `bad_parameter`. */
export function parseCondition(source: string): Condition {
  const parser = new Parser(source);
  const condition = parser.or(0);
  parser.end();
  return condition;
}

/** Parses one of a rule's `actions`: `log(level, format, values…)` (reference §8.5). Throws `bad_parameter`. */
export function parseAction(source: string): Action {
  const parser = new Parser(source);
  const { name, args } = parser.call();
  parser.end();
  if (name !== "log") throw bad(`unknown action "${escapeLine(name)}"${didYouMean(name, ["log"]) || "; known: log"}`);
  if (args.length < 2) throw bad('log takes a level and a text: log("info", "…")');
  return { op: "log", args };
}
