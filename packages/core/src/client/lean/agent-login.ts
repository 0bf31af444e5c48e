import { GatehouseError } from "../../base/index.ts";
import { AgentLocked, AgentPlaceRefused, agentIsOff, agentLimits, agentPlace, askAgent, type AgentVerb, type AgentVerbs } from "../local-agent/index.ts";
import type { ClientHome, Environment } from "./home.ts";
import { parseRecord, type LoginRecord } from "./record.ts";

/** ms that the agent may take for a login that it holds: the keystore is there for one that does not answer. */
const usualPatience = 1000;

/** Asks this home's agent about a login. */
export interface LoginAgent {
  /** The login of a profile where the agent has one that is good. Throws {@link AgentLocked}. */
  read(profile: string): Promise<LoginRecord | undefined>;
  /** Waits for the one login that the agent makes for everybody, where the person has opted in. Undefined where no agent runs. Throws {@link AgentLocked}. */
  relogin(request: AgentVerbs["relogin"]["request"]): Promise<{ readonly record: LoginRecord | undefined; readonly reason: string | undefined } | undefined>;
}

/** `refused` is told where something is in the agent's place that is not this person's agent. Without an agent all goes on as if there were no such thing. `patience`: ms for a login that it holds. */
export function loginAgent(home: ClientHome, env: Environment, refused: (why: AgentPlaceRefused) => void, patience = usualPatience): LoginAgent {
  const place = agentPlace(env, home);
  const off = agentIsOff(env);

  const ask = async <V extends AgentVerb>(verb: V, request: AgentVerbs[V]["request"], time: number): Promise<AgentVerbs[V]["answer"] | undefined> => {
    if (off) return undefined;
    try {
      return await askAgent(place, verb, request, time);
    } catch (error) {
      if (error instanceof AgentLocked || !(error instanceof GatehouseError)) throw error;
      if (error instanceof AgentPlaceRefused) refused(error);
      // One that hangs, or cannot read a keystore: who asked reads it too, and is told why where that fails as well.
      return undefined;
    }
  };
  const parse = (record: string | null | undefined): LoginRecord | undefined => (typeof record === "string" ? parseRecord(record) : undefined);

  return {
    read: async (profile) => parse((await ask("credentials", { profile }, patience))?.record),
    async relogin(request) {
      const answer = await ask("relogin", request, agentLimits.loginTime);
      return answer && { record: parse(answer.record), reason: typeof answer.reason === "string" ? answer.reason : undefined };
    },
  };
}
