const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for HTML and XML. */
export const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char);

function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${escapeMarkup(title)}</title>
<style>body{font:16px system-ui;max-width:28rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}button{font:inherit;padding:.5rem 1rem;margin:.25rem .25rem .25rem 0}small{opacity:.7}</style>
<h1>${escapeMarkup(title)}</h1>${body}<p><small>A stand-in for a SAML provider that runs on this machine alone.</small></p></html>`;
}

/** A page with one sentence. */
export function messagePage(text: string): string {
  return page("SAML stand-in", `<p>${escapeMarkup(text)}</p>`);
}

/** Who are you? One button for each account, which posts to `action`, a path on this server. */
export function loginPage(names: readonly string[], action: string): string {
  const buttons = names.map((name) => `<button name="as" value="${escapeMarkup(name)}">${escapeMarkup(name)}</button>`);
  return page("Sign in", `<form method="post" action="${escapeMarkup(action)}">${buttons.join("")}<button name="as" value="">Cancel</button></form>`);
}

/** The form that carries a response to its recipient (SAML bindings §3.5.4), sent by a script, or by hand. */
export function postPage(action: string, fields: Readonly<Record<string, string>>): string {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${escapeMarkup(name)}" value="${escapeMarkup(value)}">`);
  return page("Signed in", `<form method="post" action="${escapeMarkup(action)}">${inputs.join("")}<button>Continue</button></form><script>document.forms[0].submit()</script>`);
}
