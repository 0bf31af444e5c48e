import { GatehouseError } from "../base/index.ts";
import { isKeystoreKind, type KeystoreKind } from "./lean/index.ts";

/** What a login may do at one Kubernetes cluster. */
export interface ProfileCluster {
  readonly name: string;
  readonly server_name: string;
  readonly groups: readonly string[];
  readonly refused?: string | undefined;
}

interface KnownKeys {
  /** `host:port`. */
  readonly web_proxy_addr: string;
  readonly ssh_proxy_addr?: string | undefined;
  /** `host:port`. */
  readonly kube_proxy_addr?: string | undefined;
  readonly user?: string | undefined;
  /** Connector name, or `local`. */
  readonly auth_type?: string | undefined;
  readonly cluster?: string | undefined;
  /** Where key and certificates are. */
  readonly keystore?: KeystoreKind | undefined;
  readonly ca_pin?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly logins?: readonly string[] | undefined;
  /** RFC 3339: end of the login. */
  readonly valid_until?: string | undefined;
  readonly kube_clusters?: readonly ProfileCluster[] | undefined;
  /** Kubeconfig files, absolute, into which key and certificate were written (`--embed`). */
  readonly embedded_in?: readonly string[] | undefined;
}

/** A profile: `~/.tsh/<proxyhost>.yaml` (reference §6.1) and what we add. No secret is in it. Keys of other versions are kept. */
export interface Profile extends KnownKeys {
  readonly [other: string]: unknown;
}

type Fields = Readonly<Record<string, unknown>>;
type Guard<T> = (value: unknown) => value is T;
type Guards<T> = { readonly [K in keyof T]-?: Guard<T[K]> };

const isText = (value: unknown): value is string => typeof value === "string" && value.length <= 1024;
const optional = <T>(guard: Guard<T>) => (value: unknown): value is T | undefined => value === undefined || guard(value);
const list = <T>(guard: Guard<T>, most: number) => (value: unknown): value is readonly T[] => Array.isArray(value) && value.length <= most && value.every(guard);
const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const wrongField = (value: Fields, guards: Readonly<Record<string, Guard<unknown>>>): string | undefined => Object.keys(guards).find((name) => !guards[name]?.(value[name]));
const fields = <T>(guards: Guards<T>) => (value: unknown): value is T => isObject(value) && wrongField(value, guards) === undefined;

/** By hand: `tsh status` reads profiles, and a library of schemas would be what it waits for longest. */
const guards: Guards<KnownKeys> = {
  web_proxy_addr: isText,
  ssh_proxy_addr: optional(isText),
  kube_proxy_addr: optional(isText),
  user: optional(isText),
  auth_type: optional(isText),
  cluster: optional(isText),
  keystore: optional(isKeystoreKind),
  ca_pin: optional(isText),
  roles: optional(list(isText, 1000)),
  logins: optional(list(isText, 1000)),
  valid_until: optional(isText),
  embedded_in: optional(list(isText, 100)),
  kube_clusters: optional(list(fields<ProfileCluster>({ name: isText, server_name: isText, groups: list(isText, 10_000), refused: optional(isText) }), 10_000)),
};

function checkFields<T>(value: Fields, guards: Guards<T>): asserts value is Fields & T {
  const wrong = wrongField(value, guards);
  if (wrong !== undefined) throw new GatehouseError("bad_parameter", value[wrong] === undefined ? `${wrong} is missing` : `${wrong} is not as it should be`);
}

/** Checks what the YAML of a profile says. Throws `bad_parameter` that names the key. */
export function parseProfile(value: unknown): Profile {
  if (!isObject(value)) throw new GatehouseError("bad_parameter", "it holds no keys");
  checkFields(value, guards);
  return value;
}
