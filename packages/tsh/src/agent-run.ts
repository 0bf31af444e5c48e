import { GatehouseError, errorMessage, escapeLine, systemClock, systemRandom } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client/lean";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { openLog, runAgent, type AgentLog } from "@gatehouse/agent/daemon";
import { writeOut } from "./write-out.ts";

const onStderr = (text: string): void => writeOut(2, `${text}\n`);

/**
 * Runs the agent until a signal, another agent, or that nobody needs it. By hand and not by the framework, whose code would stay in the memory of a process that
 * lives all day. Returns the exit code; throws what stands in the way.
 */
export async function agentRun(args: readonly string[]): Promise<number> {
  const unknown = args.find((word) => !["--log-file", "-d", "--debug"].includes(word));
  if (unknown !== undefined) throw new GatehouseError("usage", `tsh agent run does not know "${escapeLine(unknown)}"`, { hint: "tsh agent run --help" });
  process.title = "tsh agent";
  const home = clientHome(process.env);
  const toFile = args.includes("--log-file");
  const log: AgentLog = toFile ? openLog(agentPlace(process.env, home).log, systemClock, onStderr) : { write: onStderr, close: () => Promise.resolve() };
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => ending.abort());
  process.on("uncaughtException", (error) => {
    // A text that could not be read may be a key, which its error would quote.
    log.write(`ends: ${error instanceof SyntaxError ? error.name : (error.stack ?? error.message)}`);
    log.close().finally(() => process.exit(1)).catch(() => undefined);
  });
  try {
    await runAgent({ env: process.env, home, clock: systemClock, random: systemRandom, log: (text) => log.write(text), signal: ending.signal });
    return 0;
  } catch (error) {
    if (toFile) log.write(`does not run: ${errorMessage(error)}`);
    throw error;
  } finally {
    await log.close();
  }
}
