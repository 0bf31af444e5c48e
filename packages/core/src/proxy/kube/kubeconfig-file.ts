import { readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Cluster, KubeConfig, User } from "@kubernetes/client-node";
import { parse } from "yaml";
import { z } from "zod";
import { GatehouseError, errorMessage, fileProblem } from "../../base/index.ts";

/** What one context of a kubeconfig stands for. */
export interface ContextEntry {
  readonly name: string;
  readonly cluster: Cluster;
  readonly user: User;
  /** kubectl's `tokenFile`, absolute. */
  readonly tokenFile: string | undefined;
  /** The same text for the same content: tells whether a context changed. */
  readonly content: string;
  /** A kubeconfig of this context alone, for the library's own functions. */
  config(): KubeConfig;
}

/** A kubeconfig, read. */
export interface Kubeconfig {
  readonly file: string;
  /** `current-context`; without one the only context, where there is just one. */
  readonly current: string | undefined;
  readonly contexts: readonly { readonly name: string; readonly usable: boolean }[];
  /** The context of that name. Throws `bad_parameter` saying what is not there. */
  context(name: string): ContextEntry;
}

const kubeconfigSize = 4 * 1024 * 1024;
/** Contexts that are looked at; the rest of a file is left out, and said. */
export const maxContexts = 500;

const usersOf = z.object({ users: z.array(z.object({ name: z.coerce.string(), user: z.object({ tokenFile: z.string().min(1).optional() }).nullish() })) });

/** Reads a kubeconfig. Entries that are wrong spoil the contexts that name them, no others. Throws `bad_parameter` for a file that cannot be read or is none. */
export async function readKubeconfigFile(file: string): Promise<Kubeconfig> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new GatehouseError("bad_parameter", `it ${fileProblem(error)}`, { cause: error });
  });
  if (text.length > kubeconfigSize) throw new GatehouseError("bad_parameter", "it is larger than 4 MiB");
  const parsed = parseText(text);
  // Slow to import and needed by servers alone, once.
  const library = await import("@kubernetes/client-node");
  const loaded = new library.KubeConfig();
  let wrong: string | undefined;
  try {
    loaded.loadFromString(text);
  } catch (error) {
    wrong = errorMessage(error);
    try {
      loaded.loadFromString(text, { onInvalidEntry: "filter" });
    } catch {
      throw new GatehouseError("bad_parameter", wrong, { cause: error });
    }
  }
  loaded.makePathsAbsolute(dirname(file));
  const tokenFiles = tokenFilesOf(parsed, file);
  // In YAML a name may be a number; the library's types say that it is text, and that there always is a current context.
  const textOf = (name: unknown): string => (typeof name === "string" ? name : JSON.stringify(name ?? ""));
  const all = loaded.getContexts().slice(0, maxContexts);
  if (all.length === 0) throw new GatehouseError("bad_parameter", `it has no contexts${wrong === undefined ? "" : `: ${wrong}`}`);
  const clusters = new Map(loaded.getClusters().map((cluster) => [cluster.name, cluster]));
  const users = new Map(loaded.getUsers().map((user) => [user.name, user]));
  const current: unknown = loaded.getCurrentContext();
  const names = [...new Set(all.map((context) => textOf(context.name)))];
  const because = wrong === undefined ? "" : `: ${wrong}`;
  const find = (name: string): (typeof all)[number] | undefined => all.find((one) => textOf(one.name) === name);
  const isUsable = (name: string): boolean => {
    const context = find(name);
    return context !== undefined && clusters.has(context.cluster) && users.has(context.user);
  };
  return {
    file,
    current: current === undefined || current === null || current === "" ? (names.length === 1 ? names[0] : undefined) : textOf(current),
    contexts: names.map((name) => ({ name, usable: isUsable(name) })),
    context(name) {
      const bad = (problem: string): GatehouseError => new GatehouseError("bad_parameter", problem);
      const context = find(name);
      if (context === undefined) throw bad(`it has no context "${name}" (it has: ${describeNames(names)})`);
      const cluster = clusters.get(context.cluster);
      if (cluster === undefined) throw bad(`context "${name}" names the cluster "${context.cluster}", which it does not have${because}`);
      const user = users.get(context.user);
      if (user === undefined) throw bad(`context "${name}" names ${context.user ? `the user "${context.user}", which it does not have${because}` : "no user"}`);
      const tokenFile = tokenFiles.get(textOf(user.name));
      return {
        name,
        cluster,
        user,
        tokenFile,
        content: JSON.stringify([cluster, user, tokenFile]),
        config() {
          const config = new library.KubeConfig();
          config.loadFromClusterAndUser(cluster, user);
          return config;
        },
      };
    },
  };
}

function parseText(text: string): unknown {
  let parsed: unknown;
  try {
    parsed = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new GatehouseError("bad_parameter", `it is not YAML: ${errorMessage(error).split("\n", 1)[0] ?? ""}`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new GatehouseError("bad_parameter", "it is no kubeconfig: it has no contexts");
  return parsed;
}

function describeNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(", ");
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** kubectl's `tokenFile` by user, which the library does not know. */
function tokenFilesOf(parsed: unknown, file: string): ReadonlyMap<string, string> {
  const known = usersOf.safeParse(parsed);
  const users = known.success ? known.data.users : [];
  return new Map(users.flatMap(({ name, user }) => (user?.tokenFile === undefined ? [] : [[name, isAbsolute(user.tokenFile) ? user.tokenFile : join(dirname(file), user.tokenFile)] as const])));
}

/** Changes whenever one of the files is written, replaced, gone or readable again. */
export async function signatureOf(files: readonly string[]): Promise<string> {
  const signatures = files.map(async (file) => {
    try {
      const { ctimeMs, dev, ino, mtimeMs, size } = await stat(file);
      return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
    } catch (error) {
      return errorMessage(error);
    }
  });
  return (await Promise.all(signatures)).join("\n");
}
