import { attributeOf, elementsOf, textOf, type XmlElement } from "../../formats/index.ts";
import type { Traits } from "../../resources/index.ts";
import { demandChildren, inside, only, plainText, required } from "./elements.ts";
import { nameFormats, namespaces } from "./names.ts";
import { refuse } from "./refusal.ts";

const { assertion } = namespaces;
const maxAttributes = 200;
const maxValues = 1000;
const maxText = 1024;

/** A person as an assertion names them. */
export interface SamlPerson {
  readonly name: string;
  /** URI; `unspecified` where the assertion does not say. */
  readonly format: string;
  /** Each attribute's values, in the assertion's order, by its `Name`. */
  readonly attributes: Traits;
  readonly assertionId: string;
}

/**
 * Reads the person out of an assertion. Give it none but one that was read from what a signature covers. An attribute that comes several times has the
 * values of all; values that are empty or made of elements are left out. Throws `access_denied`: no name, a transient one, more than 200 attributes or
 * 1000 values, a text over 1024 characters.
 */
export function readPerson(verified: XmlElement): SamlPerson {
  const subject = only(verified, assertion, "Subject");
  demandChildren(subject, assertion, ["NameID", "SubjectConfirmation"]);
  const [nameId, ...more] = inside(subject, assertion, "NameID");
  if (more.length > 0) throw refuse("its Subject has several NameID");
  if (!nameId) throw refuse("it does not name the person: its Subject has no NameID", "an administrator lets the provider send a NameID, such as the e-mail address (in AD FS: a rule with the outgoing claim type Name ID)");
  const name = plainText(nameId);
  const format = attributeOf(nameId, "Format") ?? nameFormats.unspecified;
  if (name.trim() === "" || name.length > maxText) throw refuse("its NameID is empty or too long");
  if (format === nameFormats.transient) {
    throw refuse("its NameID is transient: nobody could be known by it the next time", "let the provider send the e-mail address or a persistent NameID");
  }
  return { name, format, attributes: readAttributes(verified), assertionId: required(verified, "ID") };
}

function readAttributes(verified: XmlElement): Traits {
  const attributes = new Map<string, string[]>();
  let count = 0;
  for (const statement of inside(verified, assertion, "AttributeStatement")) {
    demandChildren(statement, assertion, ["Attribute"]);
    for (const attribute of inside(statement, assertion, "Attribute")) {
      const name = required(attribute, "Name");
      if (name === "__proto__" || name.length > maxText) throw refuse("it has an attribute with a strange name");
      demandChildren(attribute, assertion, ["AttributeValue"]);
      const values = attributes.get(name) ?? [];
      attributes.set(name, values);
      for (const value of inside(attribute, assertion, "AttributeValue")) {
        const text = elementsOf(value).length > 0 ? "" : textOf(value);
        if (text.length > maxText) throw refuse(`a value of one of its attributes has more than ${maxText} characters`);
        if (text.trim() !== "") values.push(text);
        if (++count > maxValues) throw refuse(`its attributes have more than ${maxValues} values`);
      }
    }
  }
  if (attributes.size > maxAttributes) throw refuse(`it has more than ${maxAttributes} attributes`);
  return Object.fromEntries(attributes);
}
