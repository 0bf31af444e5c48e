import { readFileLimited } from "../lean/index.ts";

/** A flag as a shell has to know it. */
export interface FlagFacts {
  readonly name: string;
  readonly char?: string | undefined;
  readonly summary?: string | undefined;
  /** A value follows: how help writes it (`<file>`), or "" where help says nothing. */
  readonly value?: string | undefined;
  readonly options?: readonly string[] | undefined;
  readonly multiple?: true | undefined;
  /** `--no-NAME` exists too. */
  readonly negatable?: true | undefined;
}

/** An argument; `options` where it is one of a few words. */
export interface ArgFacts {
  readonly name: string;
  readonly options?: readonly string[] | undefined;
}

/** A command as a shell has to know it. */
export interface CommandFacts {
  readonly summary: string;
  readonly flags: readonly FlagFacts[];
  readonly args: readonly ArgFacts[];
  /** Behind its first argument stands somebody else's command. */
  readonly verbatim?: true | undefined;
}

/** Every command of a program with what it takes: made from the command classes when the program is built, read by what completes a line. */
export interface Manifest {
  readonly version: 1;
  readonly name: string;
  /** By id: `kube:ls` is `tsh kube ls`. */
  readonly commands: Readonly<Record<string, CommandFacts>>;
  readonly topics: Readonly<Record<string, string>>;
  /** Flags that may stand before the command; `true`: a value follows. */
  readonly leading: Readonly<Record<string, boolean>>;
}

/** Its name beside the bundle. */
export const manifestName = "commands.json";
const maxManifest = 4 * 1024 * 1024;

/** The manifest in a folder; undefined where there is none of this version. Written by the build, so that its shape is not checked again. Throws `SyntaxError`. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  const text = await readFileLimited(path, { limit: maxManifest });
  const manifest = text === undefined ? undefined : (JSON.parse(text) as Manifest);
  return manifest?.version === 1 ? manifest : undefined;
}
