import { systemClock } from "@gatehouse/core/base";
import { chosenIdentity, kubeCredentials, processGroup } from "@gatehouse/core/client/lean";
import { hasTerminalDevice } from "@gatehouse/core/client/terminal";
import { credentialsFlags } from "./credentials-flags.ts";
import { writeOut } from "./write-out.ts";

/** Answers kubectl. Returns the exit code; throws what stands in the way. */
export async function credentials(args: readonly string[]): Promise<number> {
  const { proxy, identity } = credentialsFlags(args);
  const answer = await kubeCredentials({
    env: process.env,
    clock: systemClock,
    proxy,
    identity: chosenIdentity(process.env, identity),
    parent: process.ppid,
    group: processGroup,
    stdinIsTerminal: () => process.stdin.isTTY,
    hasTerminal: hasTerminalDevice,
    login: async (gateway, auth) => (await import("./login-on-terminal.ts")).loginOnTerminal(gateway, auth),
  });
  writeOut(1, answer.stdout);
  writeOut(2, answer.stderr);
  return answer.exitCode;
}
