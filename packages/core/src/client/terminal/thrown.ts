import { GatehouseError } from "../../base/index.ts";

/**
 * What was thrown as an error for people: the framework's own are usage errors. Undefined where the person stopped it (Ctrl-C at a question).
 * The framework's errors are told by their mark, since the commands that never load it fail here too.
 */
export function explainThrown(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  if (thrown.name === "ExitPromptError" || thrown.name === "AbortPromptError") return undefined;
  if (!("oclif" in thrown)) return thrown;
  const [message = "", ...more] = thrown.message.split("\n").filter((line) => line.trim() !== "" && !/^See more help/.test(line));
  return new GatehouseError("usage", message, { hint: [...more, "--help shows what this command takes"].join("\n"), cause: thrown });
}
