import { attributeOf, elementsOf, textOf, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { refuse } from "./refusal.ts";

/** Whether an element has this name. */
export function is(element: XmlElement, namespace: string, name: string): boolean {
  return element.namespace === namespace && element.name === name;
}

/** Elements of this name right inside an element. */
export function inside(element: XmlElement, namespace: string, name: string): readonly XmlElement[] {
  return elementsOf(element).filter((child) => is(child, namespace, name));
}

/** The one element of this name right inside an element. Throws `access_denied` for none and for several. */
export function only(element: XmlElement, namespace: string, name: string): XmlElement {
  const [first, ...rest] = inside(element, namespace, name);
  if (!first || rest.length > 0) throw refuse(`its ${element.name} has ${first ? "several" : "no"} ${name}`);
  return first;
}

/** Text of an element that holds nothing else. Throws `access_denied`. */
export function plainText(element: XmlElement): string {
  if (elementsOf(element).length > 0) throw refuse(`its ${element.name} has elements where text belongs`);
  return textOf(element);
}

/** An attribute that has to be there. Throws `access_denied`. */
export function required(element: XmlElement, name: string): string {
  const value = attributeOf(element, name);
  if (value === undefined || value === "") throw refuse(`its ${element.name} has no ${name}`);
  return value;
}

/** Throws `access_denied` unless what is right inside an element has these names, all of one namespace or as `{namespace}name`, and there is no text. */
export function demandChildren(element: XmlElement, namespace: string, names: readonly string[]): void {
  for (const child of elementsOf(element)) {
    const known = names.some((name) => (name.startsWith("{") ? name === `{${child.namespace}}${child.name}` : is(child, namespace, name)));
    if (!known) throw refuse(`its ${element.name} has a ${quote(child.name)} where none belongs`);
  }
  if (/[^ \t\n]/.test(textOf(element))) throw refuse(`its ${element.name} has text where none belongs`);
}

/** Every element of a tree, itself first. */
export function* everyElement(root: XmlElement): Generator<XmlElement> {
  yield root;
  for (const child of elementsOf(root)) yield* everyElement(child);
}
