import { dirname } from "node:path";
import { ensurePrivateDirectory, writeFileAtomic, type ClientHome } from "./lean/index.ts";
import { agentNodeFlags } from "./local-agent/index.ts";

const shellQuote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function script(home: ClientHome, node: string, program: string): string {
  if (process.platform === "win32") {
    return ["@echo off", "setlocal", `set "TELEPORT_HOME=${home.path}"`, 'set "flags="', `if "%~1 %~2"=="agent run" set "flags=${agentNodeFlags().join(" ")}" & set "NODE_OPTIONS="`, `"${node}" %flags% "${program}" %*`, ""].join("\r\n");
  }
  return [
    "#!/bin/sh",
    "# Written by tsh login, so that kubectl has one path to run whatever Node is current; login refreshes it.",
    `node=${shellQuote(node)} program=${shellQuote(program)}`,
    'if [ ! -x "$node" ] || [ ! -f "$program" ]; then',
    '  echo "tsh: $program or $node is gone; run tsh login again to repair this launcher" >&2',
    "  exit 1",
    "fi",
    ...(home.isDefault ? [] : [`TELEPORT_HOME=${shellQuote(home.path)}; export TELEPORT_HOME`]),
    "# The system's own start of the agent (tsh agent install): as commands start it.",
    `if [ "$1 $2" = "agent run" ]; then ulimit -c 0; unset NODE_OPTIONS; exec "$node" ${agentNodeFlags().join(" ")} "$program" "$@"; fi`,
    'exec "$node" "$program" "$@"',
    "",
  ].join("\n");
}

/** Writes the stable path that kubeconfig names; `program` is the absolute path of the running command. Call it inside `changeHome`. */
export async function writeLauncher(home: ClientHome, node: string, program: string): Promise<void> {
  await ensurePrivateDirectory(dirname(home.launcher));
  await writeFileAtomic(home.launcher, script(home, node, program), 0o700);
}
