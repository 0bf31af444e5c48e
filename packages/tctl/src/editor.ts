import { spawn } from "node:child_process";
import { once } from "node:events";
import { GatehouseError } from "@gatehouse/core/base";
import type { Environment } from "@gatehouse/core/client";

const chosenEditor = (env: Environment): string | undefined => [env["VISUAL"], env["EDITOR"]].find((value) => value !== undefined && value !== "");

/** Throws `usage` where neither an editor is named nor a terminal is there for `vi`. `what` is what would be edited: `role "access"`. */
export function checkEditor(what: string, ref: string, env: Environment): void {
  if (chosenEditor(env) !== undefined || (process.stdin.isTTY && process.stdout.isTTY)) return;
  throw new GatehouseError("usage", `there is no terminal to edit ${what} on`, { hint: `set EDITOR to a program that needs none, or: tctl get ${ref} > f.yaml; tctl create -f f.yaml` });
}

/** Opens a file in the person's editor and waits. `VISUAL` and `EDITOR` may have arguments, as a shell reads them. Throws `internal` where it fails. */
export async function runEditor(file: string, env: Environment): Promise<void> {
  const editor = chosenEditor(env) ?? "vi";
  const child =
    process.platform === "win32"
      ? spawn(`${editor} "${file}"`, { stdio: "inherit", shell: true })
      : spawn("/bin/sh", ["-c", `${editor} "$1"`, editor, file], { stdio: "inherit" });
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  if (code !== 0) {
    const how = code === null ? `was ended by ${String(signal)}` : `ended with exit code ${code}`;
    throw new GatehouseError("internal", `the editor "${editor}" ${how}: nothing was written`, { hint: "name another editor with EDITOR" });
  }
}
