import { attributeOf, type XmlElement } from "../../formats/index.ts";
import { clockSkew } from "./names.ts";
import { refuse } from "./refusal.ts";

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const clocks = "compare the clocks of the provider and of this gateway";

/** An instant of SAML (core §1.3.3), ms since the epoch; undefined for what is none. */
export function parseInstant(text: string): number | undefined {
  const time = dateTime.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function instant(element: XmlElement, name: string): number | undefined {
  const text = attributeOf(element, name);
  if (text === undefined) return undefined;
  const time = parseInstant(text);
  if (time === undefined) throw refuse(`its ${element.name} has a malformed ${name}`);
  return time;
}

/** Throws `access_denied` before `NotBefore` and from `NotOnOrAfter` on, each where there is one, with {@link clockSkew} to spare. */
export function checkWindow(element: XmlElement, now: number): void {
  const from = instant(element, "NotBefore");
  if (from !== undefined && now + clockSkew < from) throw refuse("it is not valid yet", clocks);
  const until = instant(element, "NotOnOrAfter");
  if (until !== undefined && now - clockSkew >= until) throw refuse("it has expired", `log in again; if it stays so, ${clocks}`);
}

/** Until when this may be taken; undefined where it does not say. */
export function endOf(element: XmlElement, name = "NotOnOrAfter"): number | undefined {
  return instant(element, name);
}

/** Throws `access_denied` for what says that it was made later than now. */
export function checkIssued(element: XmlElement, now: number): void {
  const issued = instant(element, "IssueInstant");
  if (issued === undefined) throw refuse(`its ${element.name} has no IssueInstant`);
  if (issued > now + clockSkew) throw refuse("it was issued in the future", clocks);
}
