import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { chosenIdentity, kubeCredentials, processGroup } from "@gatehouse/core/client/lean";
import { hasTerminalDevice } from "@gatehouse/core/client/terminal";
import { writeOut } from "./write-out.ts";

interface Flags {
  proxy?: string;
  cluster?: string;
  identity?: string;
}

/** `--proxy`, `--cluster`, `--identity` (`-i`), `-d`: by hand, since what kubectl waits for loads no flag parser. Throws `usage`. */
function parse(args: readonly string[]): Flags {
  const flags: Flags = {};
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const match = /^(?:--(proxy|cluster|identity)|-i)(?:=(.*))?$/s.exec(word);
    if (match) {
      const name = (match[1] ?? "identity") as keyof Flags;
      const value = match[2] ?? args[++index];
      if (value === undefined || value === "") throw new GatehouseError("usage", `--${name} needs a value`);
      flags[name] = value;
    } else if (word !== "-d" && word !== "--debug") {
      throw new GatehouseError("usage", `tsh kube credentials does not know "${escapeLine(word)}"`, { hint: "tsh kube credentials --help" });
    }
  }
  return flags;
}

/** Answers kubectl. Returns the exit code; throws what stands in the way. */
export async function credentials(args: readonly string[]): Promise<number> {
  const { proxy, identity } = parse(args);
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
