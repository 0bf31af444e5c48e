import { GatehouseError } from "@gatehouse/core/base";
import type { Prompter } from "@gatehouse/core/client/terminal";

/** Something that a connector cannot do without. */
export interface Need<T> {
  /** The flag that says it: `--id`. */
  readonly flag: string;
  /** What the flags said. */
  readonly given: T | undefined;
  /** Asks for it where they did not. */
  readonly ask: (prompter: Prompter) => Promise<T>;
  /** Why it has no default here, for whoever has to give it. */
  readonly reason?: string | undefined;
}

/** What is needed, filled in. */
type Filled<Needs> = { readonly [Key in keyof Needs]: Needs[Key] extends Need<infer T> ? T : never };

/** Fills in what flags did not say, in order, by asking. Throws `usage` that names all flags that are missing where there is nobody to ask. */
export async function fillIn<Needs extends Readonly<Record<string, Need<unknown>>>>(needs: Needs, prompter: Prompter | undefined): Promise<Filled<Needs>> {
  const missing = Object.values(needs).filter(({ given }) => given === undefined);
  if (missing.length > 0 && !prompter) {
    const reasons = missing.flatMap(({ flag, reason }) => (reason === undefined ? [] : [`${flag} has no default here: ${reason}`]));
    throw new GatehouseError("usage", `${missing.map(({ flag }) => flag).join(", ")} ${missing.length === 1 ? "is" : "are"} missing`, {
      hint: [...reasons, "there is no terminal to ask for what is missing"].join("; "),
    });
  }
  const filled: [string, unknown][] = [];
  for (const [key, { given, ask }] of Object.entries(needs)) filled.push([key, given ?? (prompter && (await ask(prompter)))]);
  return Object.fromEntries(filled) as Filled<Needs>;
}

/** Asks for one thing, and again for as long as there is more. */
export async function askForSeveral<T>(prompter: Prompter, more: string, ask: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = [];
  do all.push(await ask());
  while (await prompter.confirm(more));
  return all;
}
