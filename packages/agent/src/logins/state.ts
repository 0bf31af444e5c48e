import { GatehouseError } from "@gatehouse/core/base";
import { formatRecord, parseRecord } from "@gatehouse/core/client/lean";
import type { LastTab } from "./relogin.ts";
import type { Unstored } from "./renewer.ts";

/** What an agent hands to the one that takes its place, in memory. */
export interface Handed {
  /** Of the keystore `memory`. */
  readonly secrets: readonly (readonly [account: string, text: string])[];
  readonly unstored: readonly Unstored[];
  readonly told: readonly string[];
  readonly lastTab: LastTab | undefined;
}

/** The same as JSON, with secrets in it. */
export function formatState({ secrets, unstored, told, lastTab }: Handed): unknown {
  return { secrets, told, lastTab: lastTab ?? null, unstored: unstored.map(({ profile, before, renewed }) => [profile, formatRecord(before), formatRecord(renewed)]) };
}

const isTexts = (value: unknown, length: number): value is readonly string[] => Array.isArray(value) && value.length === length && value.every((each) => typeof each === "string");

function list<T>(value: unknown, read: (each: unknown) => T | undefined): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value.map((each) => {
    const one = read(each);
    if (one === undefined) throw new TypeError("not of the list's kind");
    return one;
  });
}

function readTab(value: unknown): LastTab | undefined {
  const { at, reason } = (value ?? {}) as { readonly at?: unknown; readonly reason?: unknown };
  return Number.isSafeInteger(at) && (typeof reason === "string" || reason === null) ? { at: at as number, reason } : undefined;
}

/** Reads a state back. Throws `internal` for what is none, never quoting it. */
export function parseState(state: unknown): Handed {
  try {
    const { secrets, unstored, told, lastTab } = state as Readonly<Record<string, unknown>>;
    return {
      secrets: list(secrets, (each) => (isTexts(each, 2) ? ([each[0] ?? "", each[1] ?? ""] as const) : undefined)),
      unstored: list(unstored, (each) => (isTexts(each, 3) ? { profile: each[0] ?? "", before: parseRecord(each[1] ?? ""), renewed: parseRecord(each[2] ?? "") } : undefined)),
      told: list(told, (each) => (typeof each === "string" ? each : undefined)),
      lastTab: readTab(lastTab),
    };
  } catch {
    throw new GatehouseError("internal", "the agent before this one left something that cannot be read: its logins in memory are lost");
  }
}
