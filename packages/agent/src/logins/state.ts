import { GatehouseError } from "@gatehouse/core/base";

/** What an agent hands to the one that takes its place: JSON, with secrets in it. */
export interface LoginsState {
  /** Of the keystore `memory`. */
  readonly secrets: readonly (readonly [account: string, text: string])[];
}

const isPair = (value: unknown): value is readonly [string, string] => Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === "string");

/** Reads a state back. Throws `internal` for what is none, never quoting it. */
export function parseState(state: unknown): LoginsState {
  const { secrets } = (typeof state === "object" && state !== null ? state : {}) as { readonly secrets?: unknown };
  if (!Array.isArray(secrets) || !secrets.every(isPair)) throw new GatehouseError("internal", "the agent before this one left something that cannot be read: its logins in memory are lost");
  return { secrets };
}
