/** Kinds of names that the gateway is asked for. `node-id`, `token` are ids: the name of a token is a secret. */
export const nameKinds = ["node", "node-id", "cluster", "login", "recording", "session", "connector", "user", "role", "bot", "lock", "token", "github", "oidc", "saml"] as const;
export type NameKind = (typeof nameKinds)[number];

/** What stands at one place of a command line. */
export type Place =
  | NameKind
  /** `[login@]host`. */
  | "target"
  /** A file here, or `[login@]host:path`. */
  | "copy"
  /** `kind` or `kind/name`, as `tctl get` takes it. */
  | "ref"
  /** `kind/name` alone. */
  | "one-ref"
  /** The name of the kind before it. */
  | "ref-name"
  /** A session id or a file. */
  | "recording-or-file"
  /** Roles with commas between them. */
  | "roles"
  /** Gateways that are known here, and the users whose logins are kept: neither is asked of anybody. */
  | "profile"
  | "kept-user"
  | "files"
  | "folders";

/** Where names stand in the commands of a program. */
export interface NamePlaces {
  /** By command id: the arguments in order; `rest`: every one behind them. */
  readonly args: Readonly<Record<string, { readonly each?: readonly Place[]; readonly rest?: Place }>>;
  /** By flag, or `command-id --flag` where it means something else there. */
  readonly flags: Readonly<Record<string, Place>>;
}

/** What a flag's value is called in help, and what that is. */
const valueNames: readonly (readonly [RegExp, Place])[] = [
  [/<(?:file|path|teleport\.yaml|name>\|<file)/, "files"],
  [/<(?:folder|dir)>/, "folders"],
];

/** What stands behind a flag of a command; undefined where nothing is known of it. */
export function flagPlace(places: NamePlaces, id: string, flag: string, value: string): Place | undefined {
  return places.flags[`${id} --${flag}`] ?? places.flags[flag] ?? valueNames.find(([pattern]) => pattern.test(value))?.[1];
}

/** What stands at an argument's place; undefined where nothing is known of it. */
export function argPlace(places: NamePlaces, id: string, index: number): Place | undefined {
  const { each = [], rest } = places.args[id] ?? {};
  return each[index] ?? rest;
}
