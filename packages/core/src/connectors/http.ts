import { Agent, request } from "undici";
import type { z } from "zod";
import { GatehouseError, createGate, errorMessage, readAll, systemErrorCode, version } from "../base/index.ts";
import { quote } from "./quote.ts";
import type { ProviderTimeouts } from "./types.ts";

/** One question to a provider. */
export interface HttpQuestion {
  /** For messages: `the token request`. */
  readonly what: string;
  readonly url: string;
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
}

/** What came back, with any status but a redirect. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The way to one provider, with its own connections. */
export interface ProviderHttp {
  /**
   * Asks. Redirects are not followed. Throws `limit_exceeded` for an answer that is too large, `internal` for silence and redirects, with the cause in words; no
   * header and no body is in any message.
   */
  send(question: HttpQuestion, deadline?: AbortSignal): Promise<HttpAnswer>;
  /** Asks for JSON of this shape. Throws as `send`, and `internal` for another status than 200 and for anything else than such JSON. */
  json<T>(question: HttpQuestion, schema: z.ZodType<T>, deadline?: AbortSignal): Promise<T>;
  /** Ends what is under way with an error. */
  close(): Promise<void>;
}

/** How to reach a provider. */
export interface ProviderHttpOptions {
  /** The provider in messages: `the provider of connector "okta"`. */
  readonly who: string;
  /** What to do where it is silent or broken. */
  readonly hint: string;
  readonly timeouts: ProviderTimeouts;
  /** Bytes of an answer. */
  readonly maxBody: number;
}

/** Questions to a provider at once, and behind them those that wait their turn: the time that one may take begins when it is asked. */
const maxAsked = 32;
const maxWaiting = 4096;

const seconds = (ms: number): string => `${String(ms / 1000)} s`;

/** Makes the way to a provider; connects when asked. */
export function createProviderHttp(options: ProviderHttpOptions): ProviderHttp {
  const { who, hint, timeouts } = options;
  const dispatcher = new Agent({ connections: maxAsked, connectTimeout: timeouts.request, headersTimeout: timeouts.request, bodyTimeout: timeouts.request });
  const fail = (message: string, cause?: unknown): GatehouseError => new GatehouseError("internal", message, { hint, cause });

  const gate = createGate({ running: maxAsked, waiting: maxWaiting, what: "logins through this provider" });
  const late = (what: string): GatehouseError => fail(`${who} took longer than ${seconds(timeouts.login)} over this login, and had not answered ${what}`);

  const send = (question: HttpQuestion, deadline?: AbortSignal): Promise<HttpAnswer> => gate.run(() => ask(question, deadline));

  async function ask({ what, url, method, headers, body }: HttpQuestion, deadline?: AbortSignal): Promise<HttpAnswer> {
    if (deadline?.aborted) throw late(what);
    const perRequest = AbortSignal.timeout(timeouts.request);
    try {
      const response = await request(url, {
        method: method === "POST" ? "POST" : "GET",
        dispatcher,
        signal: deadline ? AbortSignal.any([perRequest, deadline]) : perRequest,
        headers: { "user-agent": `gatehouse/${version}`, ...headers },
        body: body ?? null,
      });
      const answer = { status: response.statusCode, headers: response.headers, body: await readAll(response.body, options.maxBody, `the answer of ${who} to ${what}`) };
      if (answer.status >= 300 && answer.status < 400) throw fail(`${who} answered ${what} with a redirect (${String(answer.status)}), which is not followed`);
      return answer;
    } catch (error) {
      if (error instanceof GatehouseError) throw error;
      if (deadline?.aborted) throw late(what);
      if (perRequest.aborted || isTimeout(error)) throw fail(`${who} did not answer ${what} within ${seconds(timeouts.request)}`);
      throw fail(`${who} cannot be reached for ${what} (${quote(new URL(url).host)}): ${systemErrorCode(error) ?? quote(errorMessage(error))}`, error);
    }
  }

  return {
    send,
    async json(question, schema, deadline) {
      const { status, body } = await send(question, deadline);
      const { what } = question;
      if (status !== 200) throw fail(`${who} answered ${String(status)} to ${what}`);
      return parseAnswer(body, schema, `${who} answered ${what}`);
    },
    close: () => dispatcher.destroy(),
  };
}

function isTimeout(error: unknown): boolean {
  return ["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"].includes(systemErrorCode(error) ?? "");
}

/** The body as JSON of this shape. Throws `internal`, in a sentence that begins with `said` (`GitHub answered the token request`). */
export function parseAnswer<T>(body: Buffer, schema: z.ZodType<T>, said: string): T {
  const value = parseJson(body);
  if (value === undefined) throw new GatehouseError("internal", `${said} with something that is not JSON`);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue && issue.path.length > 0 ? ` (at ${quote(issue.path.map(String).join("."))})` : "";
  throw new GatehouseError("internal", `${said} with JSON of another shape than documented${where}`);
}

/** The body as JSON; undefined where it is none. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
