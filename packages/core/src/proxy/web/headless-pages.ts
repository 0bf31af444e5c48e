import { describeDuration } from "../../base/index.ts";
import type { HeadlessView } from "../../auth/index.ts";
import { html, page, type SafeHtml } from "./html.ts";

/** How somebody may show who they are before they decide about a login elsewhere. */
export interface HeadlessWays {
  readonly id: string;
  readonly clusterName: string;
  readonly connectors: readonly { readonly kind: string; readonly name: string; readonly display: string }[];
  /** Whether accounts of this cluster may log in, and whether they may have a second factor. */
  readonly local: { readonly secondFactor: boolean } | undefined;
}

function localForm({ id, local }: HeadlessWays, user: string): SafeHtml {
  const code = html`<label for="otp">Second factor: the code of your app, or a recovery code</label>
<input id="otp" name="otp" autocomplete="one-time-code" spellcheck="false" autocapitalize="none" maxlength="64">`;
  return html`<form method="post" action="/web/headless/${id}/local">
<label for="user">User</label>
<input id="user" name="user" value="${user}" autocomplete="username" spellcheck="false" autocapitalize="none" maxlength="256" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="4096" required>
${local?.secondFactor === true ? [code] : []}
<button type="submit">Go on</button>
</form>`;
}

/** The first page: who is it? It says nothing of what is asked for. */
export function headlessLoginPage(ways: HeadlessWays, given: { readonly user?: string; readonly problem?: string } = {}): string {
  const { id, clusterName, connectors, local } = ways;
  const links = connectors.map(({ kind, name, display }) => html`<a class="choice" href="/web/headless/${id}/sso/${kind}/${encodeURIComponent(name)}">${display === "" ? name : display}</a>`);
  return page({
    title: `Approve a login to ${clusterName}`,
    body: html`<p>A terminal on another machine asks to be logged in. First show who you are; then you see what it asks for.</p>
${given.problem === undefined ? [] : [html`<p class="bad" role="alert">${given.problem}</p>`]}
${links.length === 0 ? [] : [html`<nav aria-label="Identity providers">${links}</nav>`]}
${local === undefined ? [] : [...(links.length > 0 ? [html`<h2>Or with an account of this cluster</h2>`] : []), localForm(ways, given.user ?? "")]}
<p class="soft">You started no login in a terminal? Close this page.</p>`,
  });
}

/** The second page: what is asked for, and the code. */
export function headlessDecisionPage(id: string, view: HeadlessView, problem?: string): string {
  const { user, host, command, address, ttl, tries } = view;
  const facts: readonly (readonly [string, string])[] = [
    ["User", user],
    ["Machine", host === "" ? "it gives no name" : host],
    ["Address", address],
    ["For", command === "" ? "a shell" : command],
    ["Lasts", describeDuration(ttl)],
  ];
  return page({
    title: "Is this your terminal?",
    body: html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
<p class="soft">The machine itself says what it is called and what for. If the address is not where your terminal is, refuse.</p>
${problem === undefined ? [] : [html`<p class="bad" role="alert">${problem}</p>`]}
<form method="post" action="/web/headless/${id}/decide">
<label for="code">The code that your terminal shows</label>
<input id="code" name="code" autocomplete="off" spellcheck="false" autocapitalize="characters" maxlength="32" required autofocus aria-describedby="code-hint">
<p class="soft" id="code-hint">Eight letters and digits. Type it from your own screen: whoever sends you a code wants your login. ${String(tries)} ${tries === 1 ? "try" : "tries"} left.</p>
<button type="submit" name="decision" value="approve">Approve</button>
</form>
<form method="post" action="/web/headless/${id}/decide"><button type="submit" class="second" name="decision" value="refuse">Refuse</button></form>`,
  });
}

/** After the decision. */
export function headlessDonePage(approved: boolean): string {
  return approved
    ? page({ title: "Approved", tone: "good", body: html`<p>Your terminal goes on by itself. You can close this window.</p>` })
    : page({ title: "Refused", body: html`<p>The terminal has been told. If you did not start it, tell an administrator: somebody knows your user name and tried.</p>` });
}
