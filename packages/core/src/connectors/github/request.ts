import type { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import { parseAnswer, parseJson, type ProviderHttp } from "../http.ts";
import { quote } from "../quote.ts";
import { errorAnswer } from "./answers.ts";

/** One question to GitHub. */
export interface Question {
  /** For messages: `the token request`. */
  readonly what: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Form fields; their presence makes it a POST. */
  readonly form?: URLSearchParams;
}

/** An answer of the expected shape, with its `Link` header. */
export interface Answer<T> {
  readonly value: T;
  readonly link: string | undefined;
}

/** How to ask; `deadline` ends the whole login. */
export interface AskOptions {
  readonly http: ProviderHttp;
  readonly deadline: AbortSignal;
}

/**
 * Asks GitHub and checks the shape of the answer. Redirects are not followed. Throws `access_denied` for 401 and 403, `limit_exceeded` for an
 * answer over 1 MiB, `internal` for everything else, with the cause in words; no header and no form field is in any message.
 */
export async function ask<T>({ what, url, headers, form }: Question, schema: z.ZodType<T>, { http, deadline }: AskOptions): Promise<Answer<T>> {
  const posted = form && { method: "POST", body: form.toString() };
  const answer = await http.send({ what, url: url.href, headers: { ...headers, ...(form && { "content-type": "application/x-www-form-urlencoded" }) }, ...posted }, deadline);
  const { status, body } = answer;
  if (status < 200 || status >= 300) {
    const said = errorAnswer.safeParse(parseJson(body));
    const reason = said.success ? `: ${quote(said.data.message)}` : "";
    throw new GatehouseError(status === 401 || status === 403 ? "access_denied" : "internal", `GitHub answered ${status} to ${what}${reason}`);
  }
  const { link } = answer.headers;
  return { value: parseAnswer(body, schema, `GitHub answered ${what}`), link: typeof link === "string" ? link : link?.join(", ") };
}
