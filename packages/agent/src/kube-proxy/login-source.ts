import { stat } from "node:fs/promises";
import { GatehouseError, toGatehouseError, type Clock } from "@gatehouse/core/base";
import { clientHome, currentProfileName, isUsable, obtainLogin, parseProxyAddress, profileName, readIdentityFile, readProfileHead, type Environment, type LoginRecord } from "@gatehouse/core/client/lean";
import { agentIsOff, agentPlace, askAgent } from "@gatehouse/core/client/local-agent";
import type { LoginSource } from "./types.ts";

/** Where a login is looked for. */
export interface LoginSourceOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
  /** Identity file to take it from, absolute; undefined for one's own login. */
  readonly identity: string | undefined;
  /** Whether somebody can be asked to log in now. They are asked once for each login that ends. */
  readonly mayAsk: () => Promise<boolean>;
  /** Logs in to this gateway and stores the result. */
  readonly login: (proxy: string, auth: string | undefined) => Promise<void>;
  /** Says something besides: why the local agent is not used. A line, its end included. */
  readonly notice: (line: string) => void;
}

/** How long what was found is believed without looking at the file that says whether it changed, ms. */
const believed = 250;
/** How long a lock of the agent may go unnoticed, ms. */
const lockCheck = 2000;
/** How long a refusal is repeated without looking again, ms, unless that file changes. */
const refusedFor = 1000;

interface Found {
  readonly readAt: number;
  /** When the file was last seen to be the same. */
  readonly checkedAt: number;
  /** Of the profile, or the identity file: which file it is, and when it was written. */
  readonly stamp: string;
  readonly outcome: { readonly record: LoginRecord } | { readonly refusal: GatehouseError };
}

/** What is followed. */
interface Followed {
  /** File that changes with the login: the profile is written last by every login, renewal and logout. */
  readonly watched: string;
  /** Gateway that is meant, whichever is the current one later. */
  readonly proxy: string | undefined;
  /** Name of the profile; undefined for an identity file. */
  readonly profile: string | undefined;
}

/**
 * The login of a profile, or an identity file, followed as it is renewed, replaced, removed and made again. Throws `unauthenticated` where there is no profile,
 * `usage` for what is no gateway's address.
 */
export async function openLoginSource(options: LoginSourceOptions): Promise<LoginSource> {
  const { identity, proxy } = options;
  return new FollowedLogin(options, identity === undefined ? await findProfile(options) : { watched: identity, proxy, profile: undefined });
}

async function findProfile({ env, proxy }: LoginSourceOptions): Promise<Followed> {
  const home = clientHome(env);
  const asked = proxy ?? (env["TELEPORT_PROXY"] === "" ? undefined : env["TELEPORT_PROXY"]);
  const name = asked === undefined ? await currentProfileName(home) : profileName(parseProxyAddress(asked));
  if (name === undefined) throw new GatehouseError("unauthenticated", "not logged in to any gateway", { hint: "log in first: tsh login --proxy=<gateway>" });
  return { watched: home.profile(name), proxy: asked ?? (await readProfileHead(home, name))?.web_proxy_addr, profile: name };
}

/** Whether `now` is less than `span` ms after `at`, and not before it: clocks are set back too. */
const isWithin = (at: number, now: number, span: number): boolean => now >= at && now - at < span;

async function stampOf(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  return info === undefined ? "" : `${info.ino} ${info.mtimeMs} ${info.size}`;
}

class FollowedLogin implements LoginSource {
  readonly #options: LoginSourceOptions;
  readonly #followed: Followed;
  #found: Found | undefined;
  #looking: Promise<LoginRecord> | undefined;
  #doubted = false;
  #asked = false;
  #lockSeen = 0;
  #locked: GatehouseError | undefined;
  /** The latest: why there is no login is told only once to a process. */
  #refusal = new GatehouseError("unauthenticated", "you are not logged in; run: tsh login");

  constructor(options: LoginSourceOptions, followed: Followed) {
    this.#options = options;
    this.#followed = followed;
  }

  current(): Promise<LoginRecord> {
    return this.#looking ?? this.#look();
  }

  doubt(): void {
    this.#doubted = true;
  }

  #look(): Promise<LoginRecord> {
    const now = this.#options.clock.now();
    const found = this.#found;
    if (found !== undefined && !this.#doubted && isWithin(found.checkedAt, now, believed) && "record" in found.outcome && isUsable(found.outcome.record, now)) return Promise.resolve(found.outcome.record);
    this.#looking = this.#lookAgain(found, now).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookAgain(before: Found | undefined, now: number): Promise<LoginRecord> {
    const stamp = await stampOf(this.#followed.watched);
    if (before?.stamp === stamp) {
      const fresh = isWithin(before.readAt, now, refusedFor);
      if ("refusal" in before.outcome) {
        if (fresh) throw before.outcome.refusal;
      } else if (isUsable(before.outcome.record, now) && (fresh || !this.#doubted)) {
        await this.#checkLock(now);
        this.#found = { ...before, checkedAt: now };
        return before.outcome.record;
      }
    }
    this.#doubted = false;
    const keep = (outcome: Found["outcome"]): void => {
      const at = this.#options.clock.now();
      // What was written while it was read is seen the next time.
      this.#found = { readAt: at, checkedAt: at, stamp, outcome };
    };
    try {
      const record = await this.#read(now);
      this.#asked = false;
      keep({ record });
      return record;
    } catch (error) {
      const refusal = toGatehouseError(error);
      keep({ refusal });
      throw refusal;
    }
  }

  /** The agent may have been locked meanwhile: what it would not give out is not used either. */
  async #checkLock(now: number): Promise<void> {
    const { env } = this.#options;
    const { profile } = this.#followed;
    if (profile === undefined || agentIsOff(env) || (this.#locked === undefined && isWithin(this.#lockSeen, now, lockCheck))) return;
    this.#lockSeen = now;
    this.#locked = await askAgent(agentPlace(env, clientHome(env)), "credentials", { profile }).then(
      () => undefined,
      // An agent that cannot be asked has locked nothing.
      (error: unknown) => (error instanceof GatehouseError && error.code === "unauthenticated" ? error : undefined),
    );
    if (this.#locked !== undefined) throw this.#locked;
  }

  async #read(now: number): Promise<LoginRecord> {
    const { env, clock, identity, login, notice } = this.#options;
    const { proxy } = this.#followed;
    if (identity !== undefined) return readIdentityFile(identity, { env, proxy, now });
    try {
      const { record, line } = await obtainLogin({ env, clock, proxy, parent: process.pid, mayAsk: () => this.#mayAsk(), login });
      const lines = line.trimEnd().split("\n");
      const last = lines.pop() ?? "";
      if (record === undefined && last !== "") this.#refusal = new GatehouseError("unauthenticated", last.replace(/^tsh: /, ""));
      const notes = record === undefined ? lines : [...lines, last];
      for (const note of notes) if (note !== "") notice(`${note}\n`);
      if (record !== undefined) return record;
    } catch (error) {
      if (error instanceof GatehouseError && error.code === "unauthenticated") this.#refusal = error;
      throw error;
    }
    throw this.#refusal;
  }

  /** One tab for one end of a login: tools that poll all night must not open one after the other. */
  async #mayAsk(): Promise<boolean> {
    if (this.#asked || !(await this.#options.mayAsk())) return false;
    this.#asked = true;
    return true;
  }
}
