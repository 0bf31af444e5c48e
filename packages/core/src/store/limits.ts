import { GatehouseError } from "../base/index.ts";
import { reloadKind, type Operation } from "./types.ts";

const maxName = 1024;
const maxText = 4 * 1024 * 1024;
const maxOperations = 1000;
const maxLeaseMs = 24 * 3_600_000;

function check(fine: boolean, problem: string): void {
  if (!fine) throw new GatehouseError("bad_parameter", problem);
}

/** SQLite's functions end a text at NUL, and UTF-8 has no lone surrogates: such a text would come back as another. */
const changed = /[\0\p{Surrogate}]/u;

/** Throws `bad_parameter` for a kind or name that is empty, too long, not plain text, or the feed's own. */
export function checkName(kind: string, name: string): void {
  for (const part of [kind, name]) {
    check(part.length > 0 && part.length <= maxName && !changed.test(part), `a kind or name in the store has 1 to ${maxName} characters, none of them NUL or half a character`);
  }
  check(kind !== reloadKind, `"${reloadKind}" is not a kind`);
}

/** Throws `bad_parameter` for a transaction over the limits. */
export function checkOperations(operations: readonly Operation[]): void {
  check(operations.length <= maxOperations, `a transaction has at most ${maxOperations} operations`);
  for (const operation of operations) {
    checkName(operation.kind, operation.name);
    if (operation.op !== "put") continue;
    const { kind, name, value, secret = "", expires } = operation;
    check(value.length <= maxText && secret.length <= maxText, `${kind}/${name} is larger than ${maxText} characters`);
    check(!changed.test(value) && !changed.test(secret), `${kind}/${name} has a NUL or half a character in its text`);
    check(expires === undefined || Number.isSafeInteger(expires), `${kind}/${name}: expires is whole milliseconds since the epoch`);
  }
}

/** Throws `bad_parameter` for a lease over the limits. */
export function checkLease(name: string, holder: string, ttlMs: number): void {
  checkName("lease", name);
  checkName("lease", holder);
  check(Number.isSafeInteger(ttlMs) && ttlMs >= 0 && ttlMs <= maxLeaseMs, "a lease lasts 0 ms to 24 h, in whole ms");
}
