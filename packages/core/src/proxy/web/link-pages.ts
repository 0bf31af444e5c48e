import type { LinkDone, LinkView } from "../../auth/index.ts";
import { html, page, type SafeHtml } from "./html.ts";
import { qrCode } from "./qr.ts";

const alert = (problem: string | undefined): readonly SafeHtml[] => (problem === undefined ? [] : [html`<p class="bad" role="alert">${problem}</p>`]);

/** The box that the page's script shows where the browser has WebAuthn. `options` is where the script asks for the key's challenge. */
export function keyBox(what: "create" | "get", options: string, label: string): SafeHtml {
  return html`<div data-key="${what}" data-options="${options}" hidden><button type="button" class="second">${label}</button><p class="soft" role="status"></p></div>`;
}

const codeField = (label: string, hint: string): SafeHtml =>
  html`<label for="code">${label}</label>
<input id="code" name="code" autocomplete="one-time-code" spellcheck="false" autocapitalize="none" maxlength="64" aria-describedby="code-hint">
<p class="soft" id="code-hint">${hint}</p>`;

/** Where somebody shows who they are, before a second factor of theirs changes. */
export function confirmPage(view: LinkView, keyUrl: string, problem?: string): string {
  const titles = { add: "Add a second factor", remove: `Remove “${view.device ?? "this second factor"}”`, codes: "Get new recovery codes", invite: "", reset: "" } as const;
  const effects = { add: "Next you register an app or a key.", remove: "It stops working at once.", codes: "Those that you have stop working at once.", invite: "", reset: "" } as const;
  return page({
    title: titles[view.purpose],
    asksKey: view.webauthn === true,
    body: html`<p>First show that it is you, <strong>${view.user}</strong>. ${effects[view.purpose]}</p>${alert(problem)}
<form method="post">
<input type="hidden" name="step" value="confirm"><input type="hidden" name="key">
<input type="text" name="username" value="${view.user}" autocomplete="username" hidden readonly>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="4096" required autofocus data-first>
${view.hasFactor === true ? codeField("Code", "Of your authenticator app, or a recovery code.") : []}
${view.webauthn === true ? keyBox("get", keyUrl, "Use a security key or passkey instead") : []}
<button type="submit">Go on</button>
</form>
<p class="soft">This address works once.</p>`,
  });
}

function totpPart({ secret, uri }: NonNullable<LinkView["totp"]>): SafeHtml {
  return html`<h2>Authenticator app</h2>
<p>Scan this with the app on your phone, then type the six digits that it shows.</p>
${qrCode(uri, "QR code that sets up your authenticator app; the same as text is below")}
<p class="soft">No camera? Type this into the app: <code>${secret.replace(/(.{4})(?=.)/g, "$1 ")}</code></p>
<label for="code">Code that the app shows</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="16">`;
}

function keyPart(keyUrl: string): SafeHtml {
  return html`<h2>Security key or passkey</h2>
<p>A key that you plug in or hold to the device, or the passkey of this phone or computer.</p>
${keyBox("create", keyUrl, "Add a key")}
<noscript><p class="soft">A key needs scripts, which are off in this browser.</p></noscript>`;
}

/** Where an app or a key is registered. Only the key needs the page's script. */
export function factorPage(view: LinkView, keyUrl: string, problem?: string): string {
  const { totp, webauthn } = view;
  const neither = totp === undefined && webauthn !== true;
  const how = neither ? "This gateway is reached by an address, and security keys need a host name: ask its administrator." : totp !== undefined && webauthn === true ? "An app, a key, or both:" : "";
  return page({
    title: "Choose a second factor",
    asksKey: webauthn === true,
    body: html`<p>Whoever has the password of <strong>${view.user}</strong> alone shall not get in. ${how}</p>${alert(problem)}
<form method="post">
<input type="hidden" name="step" value="factor"><input type="hidden" name="key">
${totp === undefined ? [] : [totpPart(totp)]}${webauthn === true ? [keyPart(keyUrl)] : []}
<h2>Its name</h2>
<label for="name">What you call it</label>
<input id="name" name="name" maxlength="60" placeholder="my phone" aria-describedby="name-hint">
<p class="soft" id="name-hint">May stay empty. <code>tsh mfa ls</code> shows it.</p>
<div class="buttons"><button type="submit">Finish</button>${view.optional === true ? [html`<button type="submit" class="plain" name="skip" value="yes" formnovalidate>Go on without</button>`] : []}</div>
</form>`,
  });
}

function codesPart(codes: readonly string[], user: string): SafeHtml {
  const text = `Recovery codes of ${user} (each works once, in place of the second factor)\n\n${codes.join("\n")}\n`;
  return html`<h2>Your recovery codes</h2>
<p>Each stands in once for your second factor, should you lose it. This page shows them once: print them, or keep them where you keep passwords.</p>
<ol class="codes" aria-label="Recovery codes">${codes.map((code) => html`<li>${code}</li>`)}</ol>
<p class="screen"><a download="gatehouse-recovery-codes.txt" href="data:text/plain;charset=utf-8,${encodeURIComponent(text)}">Download them as a text file</a></p>`;
}

/** What a link has done. */
export function donePage(done: LinkDone, loginLine: string): string {
  const device = done.device ?? "It";
  const titles = { invite: "Password set", reset: "Password set", add: "Second factor added", remove: "Second factor removed", codes: "New recovery codes" } as const;
  const texts = {
    invite: html`<p>Log in from your terminal:</p><pre>${loginLine}</pre>`,
    reset: html`<p>Log in from your terminal:</p><pre>${loginLine}</pre>`,
    add: html`<p>“${device}” works from now on. You can go on in your terminal.</p>`,
    remove: html`<p>“${device}” does not work any more. You can go on in your terminal.</p>`,
    codes: html`<p>Those that you had do not work any more.</p>`,
  } as const;
  return page({ title: titles[done.purpose], tone: "good", body: html`${texts[done.purpose]}${done.recoveryCodes === undefined ? [] : [codesPart(done.recoveryCodes, done.user)]}` });
}
