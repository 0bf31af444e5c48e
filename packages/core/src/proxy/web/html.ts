import { createHash } from "node:crypto";
import { keyScript, keyScriptHash } from "./key-script.ts";

/** HTML that is safe to put into a page: made by {@link html} alone. */
export interface SafeHtml {
  readonly html: string;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? "");
}

/** Template tag: every value that is not itself {@link SafeHtml} is escaped, for text and for quoted attributes. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | SafeHtml | readonly SafeHtml[])[]): SafeHtml {
  const text = parts.reduce((before, part, index) => {
    const value = values[index - 1] ?? "";
    const safe = typeof value === "string" ? escapeHtml(value) : "html" in value ? value.html : value.map((item) => item.html).join("");
    return before + safe + part;
  });
  return { html: text };
}

const style = `:root{color-scheme:light dark;--text:#1c2024;--soft:#60646c;--back:#f6f7f9;--card:#fff;--line:#dfe2e6;--good:#18794e;--bad:#c62a2f;--act:#1f5fbf}
@media(prefers-color-scheme:dark){:root{--text:#eceef0;--soft:#a4abb3;--back:#101214;--card:#191c1f;--line:#2f3439;--good:#4cc38a;--bad:#ff8589;--act:#78b1ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--back);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:30rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.3}
h1.good::before{content:"\\2713\\00a0";color:var(--good)}
h1.bad::before{content:"\\2715\\00a0";color:var(--bad)}
p{margin:.75rem 0 0;overflow-wrap:anywhere}
.soft{color:var(--soft);font-size:.9rem}
.bad{color:var(--bad)}
h1.bad,h1.good{color:inherit}
code,pre{font:.9em ui-monospace,monospace}
pre{margin:.75rem 0 0;padding:.75rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--back);border:1px solid var(--line);border-radius:.5rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1.25rem;margin:.75rem 0 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin-top:1rem;font-weight:600}
input{width:100%;margin-top:.25rem;padding:.55rem .7rem;font:inherit;color:inherit;background:var(--back);border:1px solid var(--line);border-radius:.5rem}
button{margin-top:1.25rem;padding:.6rem 1.2rem;font:inherit;font-weight:600;color:var(--card);background:var(--act);border:0;border-radius:.5rem;cursor:pointer}
h2{margin:1.75rem 0 0;padding-top:1.25rem;border-top:1px solid var(--line);font-size:1.05rem}
a{color:var(--act)}
.choice{display:block;margin-top:.75rem;padding:.6rem 1.2rem;font-weight:600;text-align:center;text-decoration:none;color:var(--text);background:var(--back);border:1px solid var(--line);border-radius:.5rem}
.choice:hover{border-color:var(--act)}
button.second{color:var(--text);background:var(--back);border:1px solid var(--line)}
button.plain{padding:.6rem .2rem;color:var(--soft);background:none;font-weight:400;text-decoration:underline}
button:disabled{opacity:.6;cursor:progress}
.buttons{display:flex;flex-wrap:wrap;gap:0 .75rem}
.qr{display:block;width:13rem;height:13rem;margin:.75rem 0 0;border-radius:.5rem;background:#fff}
.codes{display:grid;grid-template-columns:1fr 1fr;gap:.25rem 1.5rem;margin:.75rem 0 0;padding:.75rem 1rem;list-style:none;background:var(--back);border:1px solid var(--line);border-radius:.5rem;font:.95rem/1.7 ui-monospace,monospace}
@media(max-width:26rem){.codes{grid-template-columns:1fr}}
@media print{:root{color-scheme:light;--text:#000;--soft:#333;--back:#fff;--card:#fff;--line:#999}.screen{display:none}main{border:0}}
:focus-visible{outline:2px solid var(--act);outline-offset:2px}`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** Content security policy of every page: one known style sheet, forms to this gateway, nothing else. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** Content security policy of a page that may ask a security key: {@link pagePolicy}, its one known script, and requests to this gateway. */
export const keyPagePolicy = `${pagePolicy}; script-src 'sha256-${keyScriptHash}'; connect-src 'self'`;

/** A whole page. `tone` marks its heading, `asksKey` brings the script that can ask a key, `onward` is where the browser goes by itself. */
export function page(content: { readonly title: string; readonly tone?: "good" | "bad"; readonly body: SafeHtml; readonly asksKey?: boolean; readonly onward?: string }): string {
  const { title, tone, body, asksKey, onward } = content;
  const heading = tone === undefined ? html`<h1>${title}</h1>` : html`<h1 class="${tone}">${title}</h1>`;
  const head = html`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${title} · Gatehouse</title>${onward === undefined ? [] : [html`<meta http-equiv="refresh" content="0;url=${onward}">`]}`;
  const script = asksKey === true ? `<script>${keyScript}</script>` : "";
  return `<!doctype html>\n<html lang="en"><head>${head.html}<style>${style}</style></head><body><main>${heading.html}${body.html}</main>${script}</body></html>\n`;
}
