import type { FastifyReply, FastifyRequest } from "fastify";
import { GatehouseError } from "../../base/index.ts";
import { keyPagePolicy, pagePolicy } from "./html.ts";

/**
 * What lets someone post a form is in its address or in a cookie; a browser that says the form came from another site is refused all the same.
 */
export function refuseForeignForm(request: FastifyRequest): void {
  const site = request.headers["sec-fetch-site"];
  const { origin, host } = request.headers;
  const foreignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const foreignOrigin = origin !== undefined && origin !== `https://${host ?? ""}`;
  if (foreignSite || foreignOrigin) throw new GatehouseError("access_denied", "this form was sent from another site");
}

/** Sends a page with a form on it. */
export function sendForm(reply: FastifyReply, markup: string): FastifyReply {
  return (
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", markup.includes("<script>") ? keyPagePolicy : pagePolicy)
      // The form's Origin header must say where it came from, which "no-referrer" would hide.
      .header("referrer-policy", "same-origin")
      .send(markup)
  );
}

/** A key's answer as the page's script leaves it in a form: JSON, empty for none. What is no JSON is an answer that will not hold. */
export function keyAnswer(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}
