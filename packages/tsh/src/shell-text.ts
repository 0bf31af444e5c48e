import { basename } from "node:path";
import { GatehouseError } from "@gatehouse/core/base";

/** Shells that lines can be written for; `sh` is bash's and zsh's way too. */
export const shells = ["sh", "fish", "csh", "powershell"] as const;
export type ShellName = (typeof shells)[number];

/** The shell that a person uses, by `SHELL`. */
export function guessShell(env: Readonly<Record<string, string | undefined>>): ShellName {
  const name = basename(env["SHELL"] ?? "");
  if (name === "fish") return "fish";
  if (name.endsWith("csh")) return "csh";
  return name === "pwsh" || (name === "" && process.platform === "win32") ? "powershell" : "sh";
}

/** A line that sets a variable in a shell and for what it runs, newline-terminated. Throws `bad_parameter` for a value with a line break or another control character in it. */
export function setVariable(shell: ShellName, name: string, value: string): string {
  if (/[\0-\x1f\x7f]/.test(value)) throw new GatehouseError("bad_parameter", `${name} would hold a control character`, { hint: "set XDG_RUNTIME_DIR or TELEPORT_HOME to a plainer path" });
  switch (shell) {
    case "sh":
      return `${name}='${value.replaceAll("'", `'\\''`)}'; export ${name};\n`;
    case "fish":
      return `set -gx ${name} '${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}';\n`;
    case "csh":
      // History is expanded between single quotes too.
      return `setenv ${name} '${value.replaceAll("'", `'\\''`).replaceAll("!", "\\!")}';\n`;
    case "powershell":
      return `$Env:${name} = '${value.replaceAll("'", "''")}'\n`;
  }
}
