import { GatehouseError, readAll } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client";
import { withPrompter } from "@gatehouse/core/client/command";
import { agentLimits, agentPlace, askAgent, type AgentVerb, type AgentVerbs } from "@gatehouse/core/client/local-agent";

const maxPassphrase = 1024;

/** Asks the agent of this home. `time` in ms. Throws `not_found` where none runs, and its refusals. */
export async function askOwnAgent<V extends AgentVerb>(verb: V, request: AgentVerbs[V]["request"], time: number = agentLimits.answerTime): Promise<AgentVerbs[V]["answer"]> {
  const answer = await askAgent(agentPlace(process.env, clientHome(process.env)), verb, request, time);
  if (answer === undefined) throw new GatehouseError("not_found", "no local agent runs", { hint: "start it: tsh agent start" });
  return answer;
}

/** The passphrase: asked on the terminal (twice where `again` says how), or the first line of standard input. Throws `usage` for an empty one, and where two differ. */
export async function readPassphrase(question: string, again?: string): Promise<string> {
  const passphrase = process.stdin.isTTY
    ? await withPrompter(async (prompter) => {
        if (!prompter) throw new GatehouseError("usage", "there is no terminal to ask for the passphrase on", { hint: "write it to standard input" });
        const first = await prompter.password(question);
        if (again !== undefined && (await prompter.password(again)) !== first) throw new GatehouseError("usage", "the two passphrases differ");
        return first;
      })
    : ((await readAll(process.stdin, maxPassphrase, "the passphrase on standard input")).toString("utf8").split(/\r?\n/)[0] ?? "");
  if (passphrase === "") throw new GatehouseError("usage", "the passphrase is empty");
  return passphrase;
}
