import { fitKubeName } from "../../config/index.ts";

/** What is known of a kubeconfig when its contexts get names. */
export interface ContextNaming {
  /** Where the file is, for what people are told. */
  readonly file: string;
  /** In the file's order. `usable`: the cluster and the user that it names are in the file. */
  readonly contexts: readonly { readonly name: string; readonly usable: boolean }[];
  readonly current: string | undefined;
  /** Contexts that `kubernetes.clusters` names already. */
  readonly claimed: ReadonlySet<string>;
  /** Names that are taken by others. */
  readonly taken: ReadonlySet<string>;
  /** Names that contexts have had since the gateway started: they keep them while it runs. */
  readonly known: ReadonlyMap<string, string>;
  /** Name of a context that is the only one; undefined: its own. */
  readonly ownName: string | undefined;
}

/** The one context of a file, if it has just one that can be used and no other is chosen. */
function onlyOne({ contexts, current }: ContextNaming): string | undefined {
  const usable = contexts.filter((context) => context.usable);
  const [only] = contexts.length === 1 ? contexts : usable;
  if (contexts.length !== 1 && usable.length !== 1) return undefined;
  return only !== undefined && (current === undefined || current === only.name) ? only.name : undefined;
}

/**
 * Names the contexts of a kubeconfig as clusters: a context that is the only one by `ownName`, any other by its own name, made fit. Names that would
 * clash get a mark, and `notes` says which.
 */
export function nameContexts(naming: ContextNaming): { readonly names: ReadonlyMap<string, string>; readonly notes: readonly string[] } {
  const { claimed, contexts, file, known, ownName, taken } = naming;
  const free = contexts.map(({ name }) => name).filter((name) => !claimed.has(name));
  const only = ownName === undefined ? undefined : onlyOne(naming);
  const names = new Map<string, string>();
  const used = new Set(taken);
  const notes: string[] = [];
  for (const context of free) {
    const before = known.get(context);
    if (before === undefined || used.has(before)) continue;
    names.set(context, before);
    used.add(before);
  }
  const wanted = (context: string): string => fitKubeName(context === only && ownName !== undefined ? ownName : context);
  // A context that needs no change has the first right to its name.
  const fresh = free.filter((context) => !names.has(context)).sort((a, b) => Number(wanted(b) === b) - Number(wanted(a) === a));
  const counts = new Map<string, number>();
  for (const context of fresh) counts.set(wanted(context), (counts.get(wanted(context)) ?? 0) + 1);
  for (const context of fresh) {
    const name = wanted(context);
    const clashes = used.has(name) || (name !== context && (counts.get(name) ?? 0) > 1);
    const given = clashes ? fitKubeName(context, true) : name;
    if (used.has(given)) {
      notes.push(`context "${context}" of ${file} is left out: the name "${given}" is taken; name it under kubernetes.clusters`);
      continue;
    }
    if (clashes) notes.push(`context "${context}" of ${file} is the cluster "${given}": another has the name "${name}"; name it under kubernetes.clusters`);
    names.set(context, given);
    used.add(given);
  }
  return { names: new Map(free.flatMap((context) => (names.has(context) ? [[context, names.get(context) ?? ""] as const] : []))), notes };
}
