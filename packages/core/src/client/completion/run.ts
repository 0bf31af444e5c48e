import { join } from "node:path";
import { GatehouseError, systemClock } from "../../base/index.ts";
import { clientHome, type ClientHome, type Environment } from "../lean/index.ts";
import { completeCommand } from "../main/index.ts";
import { completeFor } from "./complete.ts";
import type { NameSource } from "./fetch-soon.ts";
import { manifestName, readManifest } from "./manifest.ts";
import type { NamePlaces } from "./places.ts";
import { isShell } from "./render.ts";

/** A program whose lines are completed. */
export interface CompletedProgram {
  /** Folder of its bundle, where its manifest is. */
  readonly folder: string;
  readonly places: NamePlaces;
  /** Where names come from, by the flags of the line; undefined where nobody is logged in. */
  readonly source: (home: ClientHome, env: Environment, flags: Readonly<Record<string, string>>) => Promise<NameSource | undefined>;
}

/** ms from the start of the process within which a shell is answered. */
const patience = 1500;

/**
 * Answers a shell's script: `args` are the shell's name and what it gives. Resolves with what to print. What it throws is for who runs it by hand: the
 * scripts drop what is said on standard error, since it would stand in the line that a person is writing.
 */
export async function runComplete(args: readonly string[], env: Environment, program: CompletedProgram): Promise<string> {
  const [shell, ...rest] = args;
  const path = join(program.folder, manifestName);
  const manifest = await readManifest(path);
  if (!manifest) throw new GatehouseError("internal", `${path} is not there: this program is not built whole`);
  if (!isShell(shell)) throw new GatehouseError("usage", `${completeCommand} is for the scripts that completion prints`);
  const home = clientHome(env);
  return completeFor(shell, rest, { manifest, places: program.places, home, env, clock: systemClock, wait: patience - performance.now(), source: (flags) => program.source(home, env, flags) });
}
