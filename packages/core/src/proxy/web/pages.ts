import { html, page, type SafeHtml } from "./html.ts";

/** Fewest characters of a password; said on the page, enforced by `auth`. */
export interface PasswordRules {
  readonly minLength: number;
  readonly maxBytes: number;
}

/** `/`: what this is and how to log in. */
export function frontPage(clusterName: string, loginLine: string): string {
  return page({
    title: "Gatehouse",
    body: html`<p>This is the gateway to Kubernetes and SSH of <strong>${clusterName}</strong>. You reach both from your terminal; log in there:</p>
<pre>${loginLine}</pre>
<p class="soft">No <code>tsh</code> yet? Put <code>npx -p @gatehouse/tsh</code> before that line.</p>`,
  });
}

/** Where the terminal sends the browser after a login that worked. */
export function loginSuccessPage(): string {
  return page({ title: "You are logged in", tone: "good", body: html`<p>You can close this window and go on in your terminal.</p>` });
}

/** Where the terminal sends the browser after a login that lets nobody in: the test of a connector. */
export function testDonePage(): string {
  return page({ title: "The test is done", body: html`<p>Your terminal shows what came of it. Nobody was logged in.</p><p class="soft">You can close this window.</p>` });
}

/** Where the terminal sends the browser after a login that did not. */
export function loginFailedPage(): string {
  return page({
    title: "Login failed",
    tone: "bad",
    body: html`<p>Your terminal shows the cause, and what to do about it.</p><p class="soft">You can close this window.</p>`,
  });
}

/** What went wrong, where only the browser can be told. */
export function errorPage(title: string, error: { readonly message: string; readonly hint?: string | undefined; readonly id?: string | undefined }): string {
  const lines: SafeHtml[] = [html`<p>${error.message}</p>`];
  if (error.hint !== undefined) lines.push(html`<p>${error.hint}</p>`);
  if (error.id !== undefined) lines.push(html`<p class="soft">An administrator finds this in the audit log as <code>${error.id}</code>.</p>`);
  return page({ title, tone: "bad", body: html`${lines}` });
}

/** The form in which an invited or reset user chooses a password. It posts to its own address. */
export function passwordPage(user: string, rules: PasswordRules, problem?: string): string {
  return page({
    title: `Choose a password for ${user}`,
    body: html`${problem === undefined ? [] : [html`<p class="bad" role="alert">${problem}</p>`]}
<form method="post">
<input type="hidden" name="step" value="password">
<input type="text" name="username" value="${user}" autocomplete="username" hidden readonly>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="${String(rules.minLength)}" maxlength="${String(rules.maxBytes)}" required autofocus aria-describedby="rules">
<label for="repeat">The same again</label>
<input id="repeat" name="repeat" type="password" autocomplete="new-password" required>
<p class="soft" id="rules">At least ${String(rules.minLength)} characters, at most ${String(rules.maxBytes)} bytes. Length matters, symbols do not: a few random words are best.</p>
<button type="submit">Set password</button>
</form>
<p class="soft">This address works once.</p>`,
  });
}
