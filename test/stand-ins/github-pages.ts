const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char);

function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title>
<style>body{font:16px system-ui;max-width:28rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}button{font:inherit;padding:.5rem 1rem;margin:.25rem .25rem .25rem 0}small{opacity:.7}</style>
<h1>${escape(title)}</h1>${body}<p><small>A stand-in for GitHub that runs on this machine alone.</small></p></html>`;
}

/** A page with one sentence. */
export function messagePage(text: string): string {
  return page("GitHub stand-in", `<p>${escape(text)}</p>`);
}

/** Who are you? One link for each account; `returnTo` is a path on this server. */
export function loginPage(logins: readonly string[], returnTo: string): string {
  const items = logins.map((login) => `<li><a href="/login?as=${encodeURIComponent(login)}&amp;return_to=${encodeURIComponent(returnTo)}">${escape(login)}</a></li>`);
  return page("Sign in", `<p>Continue as</p><ul>${items.join("")}</ul>`);
}

/** May the application know who you are? Two buttons that post to `action`, a path on this server. */
export function consentPage(login: string, action: string, scope: string): string {
  return page(
    "Authorize Gatehouse",
    `<p>Signed in as <b>${escape(login)}</b>. Gatehouse asks for <code>${escape(scope)}</code>.</p>
<form method="post" action="${escape(action)}"><button name="authorize" value="1">Authorize</button><button name="authorize" value="0">Cancel</button></form>`,
  );
}
