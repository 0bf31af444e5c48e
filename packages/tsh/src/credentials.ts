import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { kubeCredentials } from "@gatehouse/core/client/lean";
import { writeOut } from "./write-out.ts";

interface Flags {
  proxy?: string;
  cluster?: string;
}

/** `--proxy`, `--cluster`, `-d`: by hand, since what kubectl waits for loads no flag parser. Throws `usage`. */
function parse(args: readonly string[]): Flags {
  const flags: Flags = {};
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const match = /^--(proxy|cluster)(?:=(.*))?$/s.exec(word);
    const name = match?.[1];
    if (name === "proxy" || name === "cluster") {
      const value = match?.[2] ?? args[++index];
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
  const { proxy } = parse(args);
  const answer = await kubeCredentials({
    env: process.env,
    clock: systemClock,
    proxy,
    parent: process.ppid,
    stdinIsTerminal: () => process.stdin.isTTY,
    hasTerminal: async () => (await import("@gatehouse/core/client/terminal")).hasTerminalDevice(),
    login: async (gateway, auth) => (await import("./login-on-terminal.ts")).loginOnTerminal(gateway, auth),
  });
  writeOut(1, answer.stdout);
  writeOut(2, answer.stderr);
  return answer.exitCode;
}
