import type { XmlElement } from "../../formats/index.ts";

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;" };
const escapeText = (text: string): string => text.replaceAll(/[&<>\r]/g, (char) => escapes[char] ?? char);
const escapeValue = (text: string): string => text.replaceAll(/[&<"\t\n\r]/g, (char) => escapes[char] ?? char);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const qualified = ({ prefix, name }: { readonly prefix: string; readonly name: string }): string => (prefix === "" ? name : `${prefix}:${name}`);

/** An element in exclusive canonical form (W3C xml-exc-c14n), without a list of inclusive prefixes. */
export function canonicalize(element: XmlElement, rendered: ReadonlyMap<string, string> = new Map([["", ""]])): string {
  const used = new Map([[element.prefix, element.namespace], ...element.attributes.filter(({ prefix }) => prefix !== "" && prefix !== "xml").map(({ prefix, namespace }) => [prefix, namespace] as const)]);
  const fresh = [...used].filter(([prefix, namespace]) => rendered.get(prefix) !== namespace).sort(([a], [b]) => compare(a, b));
  const declarations = fresh.map(([prefix, namespace]) => ` ${prefix === "" ? "xmlns" : `xmlns:${prefix}`}="${escapeValue(namespace)}"`);
  const attributes = [...element.attributes].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name)).map((attribute) => ` ${qualified(attribute)}="${escapeValue(attribute.value)}"`);
  const scope = fresh.length === 0 ? rendered : new Map([...rendered, ...fresh]);
  const content = element.children.map((child) => (typeof child === "string" ? escapeText(child) : canonicalize(child, scope)));
  return `<${qualified(element)}${declarations.join("")}${attributes.join("")}>${content.join("")}</${qualified(element)}>`;
}
