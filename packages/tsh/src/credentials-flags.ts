import { GatehouseError, escapeLine } from "@gatehouse/core/base";

/** What `tsh kube credentials` is asked with. */
export interface CredentialsFlags {
  proxy?: string;
  cluster?: string;
  identity?: string;
}

/** `--proxy`, `--cluster`, `--identity` (`-i`), `-d`: by hand, since what kubectl waits for loads no flag parser. Throws `usage`. */
export function credentialsFlags(args: readonly string[]): CredentialsFlags {
  const flags: CredentialsFlags = {};
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const match = /^(?:--(proxy|cluster|identity)|-i)(?:=(.*))?$/s.exec(word);
    if (match) {
      const name = (match[1] ?? "identity") as keyof CredentialsFlags;
      const value = match[2] ?? args[++index];
      if (value === undefined || value === "") throw new GatehouseError("usage", `--${name} needs a value`);
      flags[name] = value;
    } else if (word !== "-d" && word !== "--debug") {
      throw new GatehouseError("usage", `tsh kube credentials does not know "${escapeLine(word)}"`, { hint: "tsh kube credentials --help" });
    }
  }
  return flags;
}
