import { isAbsolute } from "node:path";
import { GatehouseError, errorMessage, escapeLine, readAll, systemErrorCode } from "../../base/index.ts";
import type { JoinRequest } from "../../api/index.ts";
import { readFileLimited, type Environment, type ProxyAddress } from "../lean/index.ts";

export type JoinMethod = JoinRequest["method"];

/** Where a job's proof is. */
export interface ProofOptions {
  readonly method: JoinMethod;
  readonly env: Environment;
  /** Whom a JWT that is asked for shall be for. */
  readonly audience: string;
  /** File with the JWT; Kubernetes: where the pod has it projected to, unless told. */
  readonly jwtFile: string | undefined;
  /** Name of the variable with the JWT. */
  readonly jwtEnv: string | undefined;
}

const maxJwt = 16 * 1024;
const defaultVariable = "TSH_JWT";
/** Where the documentation projects a pod's token to. */
const projected = "/var/run/secrets/gatehouse/token";
const askTimeout = 10_000;
const tries = 3;

/** Whom a job's JWT is for where nothing else is said: the gateway as this machine knows it, never as the gateway calls itself. */
export const joinAudience = ({ text }: ProxyAddress): string => new URL(`https://${text}`).origin;

/** Whether a second JWT can be had while a job runs: from GitHub, and from a file that somebody renews. */
export function canRenew({ method, jwtFile }: Pick<ProofOptions, "method" | "jwtFile">): boolean {
  return method === "github-actions" || method === "kubernetes" || (method !== "token" && jwtFile !== undefined);
}

/**
 * What `--token` says: the name of a token, or for a one-use one, which is a secret, the absolute path of a file that has it; `TSH_JOIN_TOKEN` where the flag is left
 * out. Throws `usage`.
 */
export async function readJoinToken(method: JoinMethod, flag: string | undefined, env: Environment): Promise<string> {
  const named = env["TSH_JOIN_TOKEN"];
  if (flag === undefined) {
    if (named === undefined || named === "") throw new GatehouseError("usage", "with which token?", { hint: method === "token" ? "--token=/path/of/a/file, or TSH_JOIN_TOKEN" : "--token=NAME: tctl tokens ls lists them" });
    return named;
  }
  if (method !== "token") return flag;
  if (!isAbsolute(flag)) throw new GatehouseError("usage", "a one-use token is a secret, and whoever lists processes sees what is on a command line", { hint: "put it in a file, --token=/absolute/path, or in TSH_JOIN_TOKEN; if it was typed here, make another one" });
  const text = (await readFileLimited(flag, { limit: 4096 }))?.trim();
  if (text === undefined || text === "") throw new GatehouseError("not_found", `${escapeLine(flag)} ${text === undefined ? "does not exist" : "is empty"}`);
  return text;
}

/** One request for this job's JWT (GitHub: "OpenID Connect reference"). Redirects are not followed: they would carry the job's token elsewhere. */
async function askGithub(url: URL, token: string): Promise<string> {
  const response = await fetch(url, { headers: { authorization: `bearer ${token}`, accept: "application/json" }, redirect: "error", signal: AbortSignal.timeout(askTimeout) });
  const text = response.body ? (await readAll(response.body, 4 * maxJwt, "GitHub's answer")).toString("utf8") : "";
  if (!response.ok) throw new GatehouseError(response.status >= 500 ? "unavailable" : "access_denied", `GitHub answered ${response.status} to the request for this job's JWT`);
  try {
    const { value } = JSON.parse(text) as { value?: unknown };
    if (typeof value === "string") return value;
  } catch {
    // Its SyntaxError would quote the answer.
  }
  throw new GatehouseError("unavailable", "GitHub's answer to the request for this job's JWT has no JWT in it");
}

async function fromGithub({ env, audience }: ProofOptions): Promise<string> {
  const [address, token] = [env["ACTIONS_ID_TOKEN_REQUEST_URL"], env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]];
  if (address === undefined || token === undefined || !URL.canParse(address)) {
    throw new GatehouseError("usage", "this is no job of GitHub Actions that may have a JWT (ACTIONS_ID_TOKEN_REQUEST_URL is not set)", { hint: "give the job: permissions: {id-token: write}" });
  }
  const url = new URL(address);
  if (url.protocol !== "https:" && !["127.0.0.1", "[::1]", "localhost"].includes(url.hostname)) throw new GatehouseError("usage", "ACTIONS_ID_TOKEN_REQUEST_URL is no https address");
  url.searchParams.set("audience", audience);
  let last: unknown;
  for (let attempt = 1; attempt <= tries; attempt++) {
    try {
      return await askGithub(url, token);
    } catch (error) {
      if (error instanceof GatehouseError && error.code !== "unavailable") throw error;
      last = error;
    }
  }
  if (last instanceof GatehouseError) throw last;
  const cause = last instanceof Error && last.cause !== undefined ? last.cause : last;
  throw new GatehouseError("unavailable", `this job's JWT cannot be had from GitHub: ${systemErrorCode(cause) ?? errorMessage(cause)}`, { cause: last });
}

async function fromFile(path: string): Promise<string> {
  const text = await readFileLimited(path, { limit: maxJwt });
  if (text === undefined) throw new GatehouseError("not_found", `${escapeLine(path)}, where the job's JWT should be, does not exist`, { hint: "--jwt-file says where it is" });
  return text;
}

function fromVariable(name: string, env: Environment): string {
  const text = env[name];
  if (text === undefined || text === "") throw new GatehouseError("usage", `the variable ${escapeLine(name)}, where the job's JWT should be, is not set`, { hint: "--jwt-env names another variable, --jwt-file a file" });
  return text;
}

/** The job's own JWT; undefined for a one-use token, which takes none. Throws `usage` or `not_found` where there is none, `unavailable` where GitHub cannot be asked. */
export async function readJobJwt(options: ProofOptions): Promise<string | undefined> {
  const { method, jwtFile, jwtEnv, env } = options;
  if (method === "token") return undefined;
  if (method === "github-actions") return fromGithub(options);
  if (jwtFile !== undefined && jwtEnv !== undefined) throw new GatehouseError("usage", "--jwt-file and --jwt-env exclude each other");
  const isFile = jwtFile !== undefined || (method === "kubernetes" && jwtEnv === undefined);
  const text = (isFile ? await fromFile(jwtFile ?? projected) : fromVariable(jwtEnv ?? defaultVariable, env)).trim();
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text) || text.length > maxJwt) {
    const where = isFile ? escapeLine(jwtFile ?? projected) : `the variable ${escapeLine(jwtEnv ?? defaultVariable)}`;
    throw new GatehouseError("bad_parameter", `what is in ${where} is no JWT`, { hint: "--jwt-env names another variable, --jwt-file a file" });
  }
  return text;
}
