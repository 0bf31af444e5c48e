import { stat } from "node:fs/promises";
import { describeDuration, escapeLine, type Clock, type GatehouseError } from "../../base/index.ts";
import { AgentLocked } from "../local-agent/index.ts";
import { loginAgent, type LoginAgent } from "./agent-login.ts";
import type { Environment } from "./home.ts";
import { withLock } from "./lock.ts";
import { isKeystoreKind } from "./keystore.ts";
import { openLogins } from "./logins.ts";
import type { ProfileHead } from "./profile-head.ts";
import { isUsable, type LoginRecord } from "./record.ts";
import { openRefusals, type Refusals } from "./refusals.ts";
import { findTarget, type Target } from "./target.ts";

/** What a stored login is looked for with. */
export interface ObtainOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
  /** Process that waits for the answer: kubectl, ssh. */
  readonly parent: number;
  /** Processes that one person started at once, of which one reason is enough: `xargs -P 40 kubectl`. Those of the parent alone where absent. */
  readonly group?: (() => Promise<string | undefined>) | undefined;
  /** Whether somebody can be asked to log in now. */
  readonly mayAsk: () => Promise<boolean>;
  /** Logs in to this gateway and stores the result, with everything said on the terminal device. */
  readonly login: (proxy: string, auth: string | undefined) => Promise<void>;
}

/** A login that is good now, or none; and what to say, a line or nothing. */
export interface ObtainedLogin {
  readonly record: LoginRecord | undefined;
  readonly line: string;
}

/** A little longer than a login may take, ms. */
const loginWait = 200_000;

/** The address as a person writes it: without the port that is the default one. */
const short = (proxy: string): string => proxy.replace(/:3080$/, "");

function loginCommand(target: Target): string {
  const auth = target.head?.auth_type;
  return `tsh login --proxy=${short(target.proxy)}${auth === undefined ? "" : ` --auth=${auth}`}`;
}

/** When a login ended or will, as the login says, or the profile of one that is not kept any more. */
function endOf(record: LoginRecord | undefined, head: ProfileHead | undefined): number | undefined {
  if (record) return record.expires;
  const told = Date.parse(head?.valid_until ?? "");
  return Number.isNaN(told) ? undefined : told;
}

/** One line for whoever ran kubectl: what ended, and what to run. */
function reason(target: Target, record: LoginRecord | undefined, now: number, why: string | undefined): string {
  const command = loginCommand(target);
  const gateway = short(target.proxy);
  const end = endOf(record, target.head);
  const text =
    end === undefined || (record === undefined && end > now && target.head?.keystore !== "memory")
      ? `you are not logged in to ${gateway}`
      : end <= now
        ? `your login to ${gateway} ended ${describeDuration(Math.max(1000, now - end))} ago`
        : record === undefined
          ? `your login to ${gateway} is gone: the local agent that kept it has ended`
          : `your login to ${gateway} ends in ${describeDuration(Math.max(1000, end - now))}`;
  return `tsh: ${escapeLine(text)}${why === undefined ? "" : ` (${escapeLine(why)})`}; run: ${escapeLine(command)}\n`;
}

async function readStored(target: Target, env: Environment): Promise<LoginRecord | undefined> {
  const kind = target.head?.keystore;
  return isKeystoreKind(kind) ? openLogins(target.home, kind, env).read(target.name) : undefined;
}

async function isFirstOf({ group }: ObtainOptions, refusals: Refusals): Promise<boolean> {
  const name = await group?.();
  return name === undefined || refusals.mark(`group-${name}`);
}

/** What is asked of the agent; that it is locked is thrown for the first of a parent's children, and is "said" for the others. */
async function onceLocked<T>(ask: () => Promise<T>, refusals: Refusals, parent: string): Promise<T | "said"> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AgentLocked) || (await refusals.mark(`locked-${parent}`))) throw error;
    return "said";
  }
}

/** One login for however many wait: who gets the lock logs in, the others find the result. */
async function loginOnce(target: Target, options: ObtainOptions, refusals: Refusals): Promise<LoginRecord | undefined> {
  const fresh = async (): Promise<LoginRecord | undefined> => {
    const record = await readStored(target, options.env);
    return isUsable(record, options.clock.now()) ? record : undefined;
  };
  const started = Date.now();
  // Forty who wait must not ask the keychain five times a second: the profile, written last, says when to look.
  const written = async (): Promise<number> => (await stat(target.home.profile(target.name)).catch(() => undefined))?.mtimeMs ?? 0;
  const before = await written();
  await withLock(
    target.home.loginLock(target.name),
    {
      wait: loginWait,
      purpose: `log in to ${target.proxy}`,
      giveUp: async () => (await written()) !== before && (await fresh()) !== undefined,
    },
    async () => {
      if ((await fresh()) !== undefined) return;
      if (await refusals.known("login", started)) return;
      try {
        await options.login(target.proxy, target.head?.auth_type);
      } catch (error) {
        await refusals.mark("login", true);
        throw error;
      }
    },
  );
  return fresh();
}

/** The agent's one login for everybody, where the person has opted in; or why there was none. */
async function loginByAgent(target: Target, agent: LoginAgent, now: () => number): Promise<{ readonly record: LoginRecord | undefined; readonly why: string | undefined }> {
  const answer = await agent.relogin({ profile: target.name });
  return { record: isUsable(answer?.record, now()) ? answer.record : undefined, why: answer?.reason };
}

/**
 * The login while it is good, from the local agent where one runs, else from its keystore, without touching the network. Else one login on the terminal where somebody can be
 * asked, or by the agent where the person wants that, for however many wait for it; or the reason, said once per parent process, and once per group, in 30 s. Throws `AgentLocked` where the agent is
 * locked: no other way is taken to what it keeps.
 */
export async function obtainLogin(options: ObtainOptions): Promise<ObtainedLogin> {
  const target = await findTarget(options);
  const refusals = openRefusals(target.home.refusals, target.name);
  const parent = `parent-${options.parent}`;
  const now = (): number => options.clock.now();

  const refused: GatehouseError[] = [];
  const agent = loginAgent(target.home, options.env, (why) => refused.push(why));
  /** What stands in the agent's place is told once, and costs nothing but what the agent would have saved. */
  const note = async (): Promise<string> => {
    const [why] = refused;
    return why !== undefined && (await refusals.mark(`agent-${parent}`)) ? `tsh: ${escapeLine(why.message)}${why.hint === undefined ? "" : ` (${escapeLine(why.hint)})`}\n` : "";
  };

  const held = await onceLocked(() => agent.read(target.name), refusals, parent);
  if (held === "said") return { record: undefined, line: "" };
  if (isUsable(held, now())) return { record: held, line: "" };
  const record = await readStored(target, options.env);
  if (isUsable(record, now())) return { record, line: await note() };

  if (await refusals.known(parent)) return { record: undefined, line: "" };
  let why: string | undefined;
  try {
    const made = (await options.mayAsk()) ? { record: await loginOnce(target, options, refusals), why } : await loginByAgent(target, agent, now);
    if (made.record) return { record: made.record, line: await note() };
    why = made.why;
  } catch (error) {
    await refusals.mark(parent);
    throw error;
  }
  const isFirst = (await refusals.mark(parent)) && (await isFirstOf(options, refusals));
  return { record: undefined, line: isFirst ? `${await note()}${reason(target, record, now(), why)}` : "" };
}
