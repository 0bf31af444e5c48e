import { GatehouseError } from "../../base/index.ts";
import { nameKinds, type NameKind } from "../completion/index.ts";
import { fetchCommand } from "../main/index.ts";

/** What the hidden command that fetches names is told. */
export interface FetchWords {
  readonly key: string;
  readonly kinds: readonly NameKind[];
  /** `--name=value` words. */
  readonly flags: Readonly<Record<string, string>>;
}

/** Reads the words of the hidden command. Throws `usage`. */
export function readFetchWords(args: readonly string[]): FetchWords {
  const [key = "", list = "", ...rest] = args;
  const kinds = list.split(",").filter((kind): kind is NameKind => (nameKinds as readonly string[]).includes(kind));
  const flags = rest.map((word) => /^--([a-z-]+)=(.+)$/s.exec(word));
  // It becomes part of a file's name.
  if (!/^[A-Za-z0-9._+~-]{1,400}$/.test(key) || key.startsWith(".") || kinds.length === 0 || flags.includes(null)) throw new GatehouseError("usage", `${fetchCommand} is run by completion itself`);
  return { key, kinds, flags: Object.fromEntries(flags.map((match) => [match?.[1] ?? "", match?.[2] ?? ""])) };
}
