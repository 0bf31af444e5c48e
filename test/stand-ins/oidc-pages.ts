const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char);

/** Who are you? A form that posts to `action`, a path on this server. */
export function loginForm(action: string, problem: string | undefined): string {
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<style>body{font:16px system-ui;max-width:28rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}input,button{font:inherit;padding:.5rem;margin:.25rem 0}small{opacity:.7}</style>
<h1>Sign in</h1>${problem === undefined ? "" : `<p role="alert">${escape(problem)}</p>`}
<form method="post" action="${escape(action)}"><label>User name <input name="login" autofocus required></label> <button>Sign in</button></form>
<p><small>An OpenID provider that runs on this machine alone.</small></p></html>`;
}
