import { spawn } from "node:child_process";
import { constants } from "node:os";
import { GatehouseError, errorMessage, escapeLine, systemClock, systemRandom } from "@gatehouse/core/base";
import { connectAdmin, headlessLogin, openPassingHome, selectKubeContext, type HeadlessLogin, type HeadlessOptions, type PassingHome } from "@gatehouse/core/client";
import { withPrompter } from "@gatehouse/core/client/command";
import type { Output, Prompter } from "@gatehouse/core/client/terminal";
import { chooseKubeCluster } from "./kube-choice.ts";
import { runningProgram } from "./program.ts";
import { listenAlone } from "./signals.ts";
import { describeValidity } from "./text.ts";

/** What a headless login runs: the words after `--`, else a shell for whoever sits at a terminal. Throws `usage`. */
export function commandOf(words: readonly string[] | undefined): readonly string[] {
  if (words !== undefined && words.length > 0) return words;
  if (process.stdin.isTTY && process.stderr.isTTY) return [process.env["SHELL"] ?? (process.platform === "win32" ? "cmd.exe" : "/bin/sh")];
  throw new GatehouseError("usage", "a headless login is for one command, and there is no terminal for a shell", { hint: "tsh login --headless -- kubectl get pods" });
}

/** The command as the page shows it. A shell word is quoted where it would be read otherwise. */
export function describeCommand(words: readonly string[] | undefined): string {
  return (words ?? []).map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

/** Runs the words, with the terminal's keys theirs alone. Resolves with their exit code, 128 and the signal's number where one ended them. */
async function runCommand(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = "", ...args] = words;
  const child = spawn(program, args, { stdio: "inherit", env });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  // The terminal tells the command of Ctrl-C too: who ends then is its own affair.
  const ignore = (): void => undefined;
  for (const [signal, listener] of [["SIGINT", ignore], ["SIGQUIT", ignore], ["SIGTERM", pass], ["SIGHUP", pass]] as const) listenAlone(signal, listener);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new GatehouseError("not_found", `cannot run ${escapeLine(program)}: ${errorMessage(error)}`)));
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

async function selectCluster(wanted: string, { account, record }: HeadlessLogin, { kube, env }: PassingHome): Promise<void> {
  const { name } = chooseKubeCluster(account, record.cluster, wanted);
  const context = kube?.contexts.find(({ cluster }) => cluster === name)?.context;
  if (context === undefined) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
  await selectKubeContext({ ...process.env, ...env }, context);
}

/** The gateway forgets the session; where it cannot be told, the key is gone all the same and the certificates end within the hour. */
async function end({ record }: HeadlessLogin, home: PassingHome, output: Output): Promise<void> {
  await home.remove();
  try {
    await connectAdmin(record).logout();
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "unauthenticated") return;
    output.stderr.write(`The gateway could not be told that this login is over (${escapeLine(errorMessage(error))}); its key is gone from this machine.\n`);
  }
}

/** A login that is approved elsewhere, for one command or shell, and gone with it. Resolves with the command's exit code. */
export async function runHeadless(
  wanted: Omit<HeadlessOptions, "command" | "proxy"> & { readonly proxy: (prompter: Prompter | undefined) => Promise<string>; readonly cluster: string | undefined; readonly words: readonly string[] | undefined },
  output: Output,
): Promise<number> {
  const words = commandOf(wanted.words);
  const program = runningProgram();
  // Whoever asks lets go of the terminal before the command has it.
  const login = await withPrompter(async (prompter) =>
    headlessLogin({ ...wanted, proxy: await wanted.proxy(prompter), command: describeCommand(wanted.words) }, { env: process.env, clock: systemClock, random: systemRandom, output, prompter, program }),
  );
  const { record } = login;
  const home = await openPassingHome(login, process.env, program, { now: systemClock.now(), notice: (text) => output.stderr.write(text) });
  try {
    if (wanted.cluster !== undefined) await selectCluster(wanted.cluster, login, home);
    const how = wanted.words === undefined ? "; leave the shell to end the login" : "";
    output.stderr.write(`${output.style.green("✔")} logged in as ${output.style.bold(escapeLine(record.username))}, for this command alone   ${describeValidity(record.expires, systemClock.now())}${how}\n`);
    return await runCommand(words, { ...process.env, ...home.env });
  } finally {
    await end(login, home, output);
  }
}
