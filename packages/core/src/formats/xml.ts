import { XmlScanner, expandReferences, xmlProblem } from "./xml-scanner.ts";

/** An attribute; the namespace is empty for one without a prefix. */
export interface XmlAttribute {
  /** As written, empty for none: of use to write it again, and for nothing else. */
  readonly prefix: string;
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

/** An element with its names resolved; declarations of namespaces are not among the attributes. Text is in one piece between elements, never empty. */
export interface XmlElement {
  readonly prefix: string;
  /** Empty for none. */
  readonly namespace: string;
  /** Without prefix. */
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly (XmlElement | string)[];
}

/** How much there may be, and what is done with comments and processing instructions. */
export interface XmlLimits {
  readonly depth: number;
  readonly elements: number;
  /** Of one element, declarations of namespaces included. */
  readonly attributes: number;
  /** `skip` is for documents that people write. */
  readonly comments: "refuse" | "skip";
}

const xmlNamespace = "http://www.w3.org/XML/1998/namespace";
const xmlnsNamespace = "http://www.w3.org/2000/xmlns/";
const space = /[ \t\n]+/y;
const qualifiedName = /(?:[A-Za-z_][A-Za-z0-9_.-]{0,127}:)?[A-Za-z_][A-Za-z0-9_.-]{0,127}(?![^\s/>=])/y;
const plainText = /[^<]+/y;
const declaration = /<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.0"|'1\.0')(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*(?:"[Uu][Tt][Ff]-8"|'[Uu][Tt][Ff]-8'))?(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\n]*\?>/y;
const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:[\u0021-\u007e]+$/;

type Scope = ReadonlyMap<string, string>;

interface Open {
  readonly tag: string;
  readonly scope: Scope;
  readonly children: (XmlElement | string)[];
}

interface Start {
  readonly tag: string;
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly closed: boolean;
}

/**
 * Reads XML 1.0 with namespaces, of which it takes the plain part alone: UTF-8, no DOCTYPE, no entities but XML's five, no CDATA, names in ASCII, and namespaces
 * that are absolute addresses, so that no other reader finds something else in it. The caller has checked its size. Throws `bad_parameter`.
 */
export function readXml(text: string, limits: XmlLimits): XmlElement {
  const scanner = new XmlScanner(text);
  scanner.match(declaration);
  const top: (XmlElement | string)[] = [];
  const open: Open[] = [{ tag: "", scope: new Map([["xml", xmlNamespace], ["", ""]]), children: top }];
  let count = 0;
  while (!scanner.atEnd) {
    const parent = open.at(-1);
    if (!parent) break;
    if (skipAside(scanner, limits)) continue;
    if (scanner.take("</")) {
      if (open.length === 1) throw xmlProblem("closes an element that is not open");
      if (scanner.match(qualifiedName) !== parent.tag) throw xmlProblem(`does not close "${parent.tag}" where it should`);
      scanner.match(space);
      if (!scanner.take(">")) throw xmlProblem("has a malformed end of an element");
      open.pop();
      continue;
    }
    if (scanner.take("<")) {
      if (open.length === 1 && top.some((node) => typeof node !== "string")) throw xmlProblem("has more than one root");
      if (++count > limits.elements) throw xmlProblem(`has more than ${limits.elements} elements`);
      if (open.length > limits.depth) throw xmlProblem(`is nested more than ${limits.depth} deep`);
      const start = readStart(scanner, limits);
      const { element, scope, children } = resolve(start, parent.scope);
      if (scope.size > limits.attributes) throw xmlProblem(`has more than ${limits.attributes} namespaces in one place`);
      parent.children.push(element);
      if (!start.closed) open.push({ tag: start.tag, scope, children });
      continue;
    }
    addText(parent, scanner.match(plainText) ?? "", open.length === 1);
  }
  if (open.length !== 1) throw xmlProblem(`ends before "${open.at(-1)?.tag ?? ""}" is closed`);
  const root = top.find((node) => typeof node !== "string");
  if (!root) throw xmlProblem("has no element");
  return root;
}

/** Text that belongs to an element: its own pieces joined, without what is in elements inside it. */
export function textOf(element: XmlElement): string {
  return element.children.filter((child) => typeof child === "string").join("");
}

/** The elements inside an element. */
export function elementsOf(element: XmlElement): readonly XmlElement[] {
  return element.children.filter((child) => typeof child !== "string");
}

/** Value of an attribute without a prefix. */
export function attributeOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.find((attribute) => attribute.namespace === "" && attribute.name === name)?.value;
}

/** Passes a comment or processing instruction, where that is allowed; throws for it, and for a DOCTYPE and CDATA, where not. */
function skipAside(scanner: XmlScanner, limits: XmlLimits): boolean {
  if (scanner.take("<!--")) {
    if (limits.comments === "refuse") throw xmlProblem("has a comment");
    const inside = scanner.until("-->", "a comment");
    if (inside.includes("--") || inside.endsWith("-")) throw xmlProblem("has a malformed comment");
    return true;
  }
  if (scanner.take("<![CDATA[")) throw xmlProblem("has a CDATA section");
  if (scanner.take("<!")) throw xmlProblem("has a DOCTYPE or another declaration");
  if (!scanner.take("<?")) return false;
  if (limits.comments === "refuse") throw xmlProblem("has a processing instruction");
  if (/^xml(?:\s|$)/i.test(scanner.until("?>", "a processing instruction"))) throw xmlProblem("does not begin as XML 1.0 in UTF-8 does");
  return true;
}

function addText(parent: Open, raw: string, outside: boolean): void {
  if (raw.includes("]]>")) throw xmlProblem('has "]]>" in text');
  if (outside && /[^ \t\n]/.test(raw)) throw xmlProblem("has text outside its root");
  const text = expandReferences(raw);
  const last = parent.children.at(-1);
  if (typeof last === "string") parent.children[parent.children.length - 1] = last + text;
  else parent.children.push(text);
}

function readStart(scanner: XmlScanner, limits: XmlLimits): Start {
  const tag = scanner.match(qualifiedName);
  if (tag === undefined) throw xmlProblem("has a malformed name of an element");
  const attributes: (readonly [string, string])[] = [];
  for (;;) {
    const spaced = scanner.match(space) !== undefined;
    if (scanner.take("/>")) return { tag, attributes, closed: true };
    if (scanner.take(">")) return { tag, attributes, closed: false };
    const name = spaced ? scanner.match(qualifiedName) : undefined;
    if (name === undefined) throw xmlProblem(`has a malformed element "${tag}"`);
    scanner.match(space);
    if (!scanner.take("=")) throw xmlProblem(`has an attribute "${name}" without a value`);
    scanner.match(space);
    const quote = scanner.take('"') ? '"' : scanner.take("'") ? "'" : undefined;
    if (quote === undefined) throw xmlProblem(`has an attribute "${name}" without quotes`);
    const value = scanner.until(quote, `the attribute "${name}"`);
    if (value.includes("<")) throw xmlProblem(`has "<" in the attribute "${name}"`);
    if (attributes.some(([other]) => other === name)) throw xmlProblem(`has the attribute "${name}" twice in one element`);
    if (attributes.length >= limits.attributes) throw xmlProblem(`has an element with more than ${limits.attributes} attributes`);
    attributes.push([name, expandReferences(value.replaceAll(/[\t\n]/g, " "))]);
  }
}

function resolve(start: Start, outer: Scope): { readonly element: XmlElement; readonly scope: Scope; readonly children: (XmlElement | string)[] } {
  const declared = start.attributes.filter(([name]) => name === "xmlns" || name.startsWith("xmlns:"));
  const scope = declared.length === 0 ? outer : new Map([...outer, ...declared.map(([name, value]) => declare(name === "xmlns" ? "" : name.slice(6), value))]);
  const split = (qualified: string, unprefixed: string): { prefix: string; namespace: string; name: string } => {
    const at = qualified.indexOf(":");
    const prefix = qualified.slice(0, Math.max(at, 0));
    const namespace = at < 0 ? unprefixed : scope.get(prefix);
    if (namespace === undefined) throw xmlProblem(`uses the prefix "${prefix}", which it does not declare`);
    return { prefix, namespace, name: qualified.slice(at + 1) };
  };
  const attributes = start.attributes.filter((attribute) => !declared.includes(attribute)).map(([name, value]) => ({ ...split(name, ""), value }));
  const names = new Set(attributes.map(({ namespace, name }) => `${namespace} ${name}`));
  if (names.size !== attributes.length) throw xmlProblem("has an attribute twice in one element, under two prefixes");
  const children: (XmlElement | string)[] = [];
  return { element: { ...split(start.tag, scope.get("") ?? ""), attributes, children }, scope, children };
}

/** One declaration of a namespace. Relative addresses are refused: canonicalization fails for them in some readers, and goes on in others. */
function declare(prefix: string, namespace: string): readonly [string, string] {
  if (prefix === "xmlns" || (prefix === "xml") !== (namespace === xmlNamespace) || namespace === xmlnsNamespace) throw xmlProblem("redeclares a namespace of XML's own");
  if (namespace === "" ? prefix !== "" : !absolute.test(namespace)) throw xmlProblem("has a namespace that is not an absolute address");
  return [prefix, namespace];
}
