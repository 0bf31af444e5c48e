import type { ConsolePage } from "../../auth/index.ts";
import { html, page, type SafeHtml } from "./html.ts";
import { keyBox } from "./link-pages.ts";

/** What the login page offers. */
export interface LoginChoice {
  readonly id: string;
  readonly clusterName: string;
  readonly connectors: readonly { readonly kind: string; readonly name: string; readonly display: string }[];
  /** Absent where local users may not log in. */
  readonly local: ConsolePage | undefined;
}

function codePart({ factor, webauthn }: ConsolePage, otpAllowed: boolean): SafeHtml {
  if (factor === "none") return html``;
  const label = otpAllowed ? "Code of your authenticator app, or a recovery code" : "Recovery code";
  const key = webauthn ? "Empty if you use a security key or passkey. " : "";
  const hint = `${key}${factor === "optional" ? "Empty if you have no second factor." : ""}`.trim();
  return html`<label for="code">${label}</label>
<input id="code" name="code" autocomplete="one-time-code" spellcheck="false" autocapitalize="none" maxlength="64"${hint === "" ? html`` : html` aria-describedby="code-hint"`}>
${hint === "" ? [] : [html`<p class="soft" id="code-hint">${hint}</p>`]}`;
}

function localForm(choice: LoginChoice, local: ConsolePage, user: string): SafeHtml {
  return html`<form method="post" action="/web/login">
<input type="hidden" name="id" value="${choice.id}" data-sent><input type="hidden" name="key">
<label for="user">User</label>
<input id="user" name="user" value="${user}" autocomplete="username" spellcheck="false" autocapitalize="none" maxlength="256" required${user === "" ? html` autofocus` : html``} data-first data-sent>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="4096" required${user === "" ? html`` : html` autofocus`} data-first>
${codePart(local, local.otp)}
<div class="buttons"><button type="submit">Log in</button>${local.webauthn ? keyBox("get", "/webapi/local/login/key", "Log in with a security key or passkey") : []}</div>
</form>`;
}

/** Where a login's way is chosen: connectors as links, which need no script, and the form of local users. */
export function loginPage(choice: LoginChoice, given: { readonly user?: string; readonly problem?: string } = {}): string {
  const { id, clusterName, connectors, local } = choice;
  const link = (kind: string, name: string): string => `/web/login/connector?${new URLSearchParams({ id, kind, name }).toString()}`;
  const ways = connectors.map(({ kind, name, display }) => html`<a class="choice" href="${link(kind, name)}">${display === "" ? name : display}</a>`);
  const nothing = connectors.length === 0 && local === undefined;
  return page({
    title: `Log in to ${clusterName}`,
    asksKey: local?.webauthn === true,
    body: html`<p class="soft">For the terminal that opened this page, and for no other.</p>
${given.problem === undefined ? [] : [html`<p class="bad" role="alert">${given.problem}</p>`]}
${nothing ? [html`<p>This cluster has no way to log in yet: an administrator adds one.</p>`] : ways.length === 0 ? [] : [html`<nav aria-label="Identity providers">${ways}</nav>`]}
${local === undefined ? [] : [...(ways.length > 0 ? [html`<h2>Or with an account of this cluster</h2>`] : []), localForm(choice, local, given.user ?? "")]}
<form method="post" action="/web/login/cancel"><input type="hidden" name="id" value="${id}"><button type="submit" class="plain">Cancel</button></form>`,
  });
}

/** Brings the sealed answer to the terminal. The browser goes there by itself; the link is for those that do not. */
export function onwardPage(location: string): string {
  return page({ title: "Back to your terminal", onward: location, body: html`<p><a href="${location}">Go on if nothing happens</a></p>` });
}
