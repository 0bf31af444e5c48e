import { GatehouseError } from "../base/index.ts";
import type { KeystoreKind } from "./lean/index.ts";

/** What a login may do at one Kubernetes cluster. */
export interface ProfileCluster {
  readonly name: string;
  readonly server_name: string;
  readonly groups: readonly string[];
  readonly refused?: string | undefined;
}

/** A profile: `~/.tsh/<proxyhost>.yaml` (reference §6.1) and what we add. No secret is in it. Keys of other versions are kept. */
export interface Profile {
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
  readonly [other: string]: unknown;
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string" && value.length <= 1024;
const optional = (check: Check): Check => (value) => value === undefined || check(value);
const list = (check: Check, most: number): Check => (value) => Array.isArray(value) && value.length <= most && value.every(check);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);
const fields = (checks: Readonly<Record<string, Check>>): Check => (value) => isObject(value) && Object.entries(checks).every(([name, check]) => check(value[name]));

/** By hand: `tsh status` reads profiles, and a library of schemas would be what it waits for longest. */
const checks: Readonly<Record<string, Check>> = {
  web_proxy_addr: text,
  ssh_proxy_addr: optional(text),
  kube_proxy_addr: optional(text),
  user: optional(text),
  auth_type: optional(text),
  cluster: optional(text),
  keystore: optional((value) => value === "keychain" || value === "file" || value === "memory"),
  ca_pin: optional(text),
  roles: optional(list(text, 1000)),
  logins: optional(list(text, 1000)),
  valid_until: optional(text),
  kube_clusters: optional(list(fields({ name: text, server_name: text, groups: list(text, 10_000), refused: optional(text) }), 10_000)),
};

/** Checks what the YAML of a profile says. Throws `bad_parameter` that names the key. */
export function parseProfile(value: unknown): Profile {
  if (!isObject(value)) throw new GatehouseError("bad_parameter", "it holds no keys");
  const wrong = Object.keys(checks).find((name) => !checks[name]?.(value[name]));
  if (wrong !== undefined) throw new GatehouseError("bad_parameter", value[wrong] === undefined ? `${wrong} is missing` : `${wrong} is not as it should be`);
  return value as unknown as Profile;
}
