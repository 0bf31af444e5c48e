import { request, type Dispatcher } from "undici";
import type { z } from "zod";
import { GatehouseError, errorMessage, escapeLine, limits, readAll, systemErrorCode, version } from "../../base/index.ts";
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

/** How to ask. Times in ms; `deadline` ends the whole login. */
export interface AskOptions {
  readonly dispatcher: Dispatcher;
  readonly timeout: number;
  readonly deadline: AbortSignal;
  readonly loginTimeout: number;
}

const seconds = (ms: number): string => `${String(ms / 1000)} s`;

/** Outside text for a message: one line, printable, at most 200 characters. */
export function quote(text: string): string {
  const line = escapeLine(text.slice(0, 400));
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

function brokenTransport(question: Question, thrown: unknown, options: AskOptions, perRequest: AbortSignal): GatehouseError {
  const hint = "try again; if it stays so, look at https://www.githubstatus.com or at the gateway's way out to GitHub";
  if (options.deadline.aborted) return new GatehouseError("internal", `GitHub took longer than ${seconds(options.loginTimeout)} over this login, and had not answered ${question.what}`, { hint });
  if (perRequest.aborted) return new GatehouseError("internal", `GitHub did not answer ${question.what} within ${seconds(options.timeout)}`, { hint });
  const cause = systemErrorCode(thrown) ?? quote(errorMessage(thrown));
  return new GatehouseError("internal", `GitHub cannot be reached for ${question.what}: ${cause}`, { hint, cause: thrown });
}

async function readText(question: Question, options: AskOptions): Promise<{ readonly status: number; readonly text: string; readonly link: string | undefined }> {
  const perRequest = AbortSignal.timeout(options.timeout);
  try {
    const response = await request(question.url, {
      method: question.form ? "POST" : "GET",
      dispatcher: options.dispatcher,
      signal: AbortSignal.any([perRequest, options.deadline]),
      headers: {
        "user-agent": `gatehouse/${version}`,
        ...question.headers,
        ...(question.form ? { "content-type": "application/x-www-form-urlencoded" } : {}),
      },
      body: question.form?.toString() ?? null,
    });
    const text = (await readAll(response.body, limits.apiBody, `GitHub's answer to ${question.what}`)).toString("utf8");
    const { link } = response.headers;
    return { status: response.statusCode, text, link: typeof link === "string" ? link : link?.join(", ") };
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    throw brokenTransport(question, error, options, perRequest);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Asks GitHub and checks the shape of the answer. Redirects are not followed. Throws `access_denied` for 401 and 403, `limit_exceeded` for an
 * answer over 1 MiB, `internal` for everything else, with the cause in words; no header and no form field is in any message.
 */
export async function ask<T>(question: Question, schema: z.ZodType<T>, options: AskOptions): Promise<Answer<T>> {
  const { status, text, link } = await readText(question, options);
  const json = parseJson(text);
  if (status < 200 || status >= 300) {
    const said = errorAnswer.safeParse(json);
    const reason = said.success ? `: ${quote(said.data.message)}` : "";
    if (status >= 300 && status < 400) throw new GatehouseError("internal", `GitHub answered ${question.what} with a redirect (${status}), which is not followed`);
    throw new GatehouseError(status === 401 || status === 403 ? "access_denied" : "internal", `GitHub answered ${status} to ${question.what}${reason}`);
  }
  if (json === undefined) throw new GatehouseError("internal", `GitHub answered ${question.what} with something that is not JSON`);
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue && issue.path.length > 0 ? ` (at ${quote(issue.path.map(String).join("."))})` : "";
    throw new GatehouseError("internal", `GitHub answered ${question.what} with JSON of another shape than documented${where}`);
  }
  return { value: parsed.data, link };
}
