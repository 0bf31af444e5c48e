import { encode } from "uqr";
import { html, type SafeHtml } from "./html.ts";

/** A QR code as an SVG of its own: black on white in any colour scheme, for that is what cameras read. */
export function qrCode(text: string, label: string): SafeHtml {
  const { data, size } = encode(text, { ecc: "M", border: 4 });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${String(x)} ${String(y)}h1v1h-1z`] : []))).join("");
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${String(size)} ${String(size)}" shape-rendering="crispEdges"><path fill="#000" d="${path}"/></svg>`;
}
