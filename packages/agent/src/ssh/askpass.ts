import { spawn } from "node:child_process";
import { GatehouseError, createGate, escapeLine } from "@gatehouse/core/base";
import type { Environment } from "@gatehouse/core/client/lean";
import type { AgentIdentity } from "@gatehouse/core/formats/ssh";
import { sshFingerprint } from "@gatehouse/core/formats/ssh-agent";

/** Asks the person whether a key may be used; false for no, and where nobody can be asked. */
export type AskToUse = (key: AgentIdentity) => Promise<boolean>;

/** ssh's own where `SSH_ASKPASS` names none. */
const usualProgram = "/usr/bin/ssh-askpass";
/** Questions on the screen at once, and those behind them. */
const questions = { running: 3, waiting: 16, what: "questions" } as const;
/** ms until no answer is a no. */
const patience = 120_000;
/** Bytes of an answer that are read. */
const maxAnswer = 1024;

/** As ssh(1) has it: a program that asks needs a screen, unless it is said not to. */
function program(env: Environment): string | undefined {
  const required = env["SSH_ASKPASS_REQUIRE"];
  const hasScreen = [env["DISPLAY"], env["WAYLAND_DISPLAY"]].some((name) => name !== undefined && name !== "");
  if (required === "never" || (required !== "force" && !hasScreen)) return undefined;
  const named = env["SSH_ASKPASS"];
  return named === undefined || named === "" ? usualProgram : named;
}

/** The answer's first line where the program said that it is one. */
function run(path: string, env: Environment, question: string, time: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(path, [question], { env: { ...env, SSH_ASKPASS_PROMPT: "confirm" }, stdio: ["ignore", "pipe", "ignore"], timeout: time, killSignal: "SIGKILL" });
    let answer = "";
    child.stdout.on("data", (chunk: Buffer) => {
      answer = (answer + chunk.toString("latin1")).slice(0, maxAnswer);
    });
    child.once("error", () => resolve(undefined));
    child.once("close", (code) => resolve(code === 0 ? answer.split(/\r?\n/, 1)[0] : undefined));
  });
}

/** Asks by the program in `SSH_ASKPASS`, as OpenSSH's agent does. `time`: ms until no answer is a no. */
export function askToUse(env: Environment, log: (text: string) => void, time: number = patience): AskToUse {
  const gate = createGate(questions);
  return async ({ blob, comment }) => {
    const path = program(env);
    const shown = escapeLine(comment);
    if (path === undefined) {
      log(`the key ${shown} was not used: there is nobody to ask (SSH_ASKPASS, DISPLAY)`);
      return false;
    }
    try {
      const answer = await gate.run(() => run(path, env, `Allow use of key ${shown}?\nKey fingerprint ${sshFingerprint(blob)}.`, time));
      const isAllowed = answer === "" || answer?.toLowerCase() === "yes";
      if (!isAllowed) log(`the key ${shown} was not used: ${answer === undefined ? "no answer" : "refused"}`);
      return isAllowed;
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      log(`the key ${shown} was not used: ${error.message}`);
      return false;
    }
  };
}
