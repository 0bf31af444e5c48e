import { GatehouseError, escapeLine, toGatehouseError } from "@gatehouse/core/base";
import { agentLimits, agentProtocol, formatAgentAnswer, formatAgentRefusal, type AgentVerb } from "@gatehouse/core/client/local-agent";
import { checkRequest, isVerb, readLine } from "./requests.ts";
import type { ControlHandlers } from "./serve.ts";

/** Never quotes what was sent: it may be a key. */
function parseLine(line: string): { readonly verb: AgentVerb; readonly request: Readonly<Record<string, unknown>> } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new GatehouseError("bad_parameter", "the request is no JSON");
  }
  const parsed = readLine(value);
  if (!parsed) throw new GatehouseError("bad_parameter", "the request has no version or no verb");
  const { v, verb, request } = parsed;
  // Any version may end this agent: the one that takes its place may not speak as this one does.
  if (v !== agentProtocol && verb !== "stop") throw new GatehouseError("not_implemented", `this agent speaks version ${agentProtocol} of the protocol`);
  if (!isVerb(verb)) throw new GatehouseError("bad_parameter", `this agent does not know "${escapeLine(verb)}"`);
  return { verb, request };
}

async function handle(verb: AgentVerb, request: Readonly<Record<string, unknown>>, handlers: ControlHandlers): Promise<string> {
  checkRequest(verb, request);
  const line = formatAgentAnswer(await (handlers[verb] as (request: object) => object | Promise<object>)(request));
  if (Buffer.byteLength(line) > agentLimits.answer) throw new GatehouseError("limit_exceeded", "the answer is too long");
  return line;
}

/** The line that answers a line, refusals too. */
export async function answerLine(line: string, handlers: ControlHandlers, log: (text: string) => void): Promise<string> {
  try {
    const { verb, request } = parseLine(line);
    return await handle(verb, request, handlers);
  } catch (error) {
    const refusal = toGatehouseError(error);
    // A refusal is for who asked; a fault of the agent's own is for whoever looks for it later. A text that could not be read may be a key, which its error would quote.
    if (!(error instanceof GatehouseError)) log(`a request failed: ${error instanceof SyntaxError ? error.name : escapeLine(refusal.message)}`);
    return formatAgentRefusal(refusal);
  }
}
