import { GatehouseError } from "../base/index.ts";
import { DerReader, der, derTag, type CertificateExtension } from "../formats/index.ts";
import { sessionClaims } from "./schema.ts";

/**
 * The session extension: UTF8String of JSON `{"subject":…,"session":…}`, with `"generation":n` from the second on, never critical. Its identifier is in the unregistered arc 1.3.9999 that this
 * family of systems uses for its own; one under 2.25 (X.667) would do, but Go's X.509 parser, kubectl's, refuses numbers above 2^31.
 */
const sessionOid = "1.3.9999.2603.1";

/** Whose certificate it is, which login it belongs to, and how many that had by then. */
export interface SessionClaims {
  readonly subject: string;
  readonly session: string;
  /** 1 for the certificates of the login itself, one more with every renewal. */
  readonly generation: number;
}

/** Name of the extension of SSH certificates that says the same, as the same JSON. */
export const sshSessionExtension = "gatehouse-session";

/** The value of {@link sshSessionExtension}. */
export function sessionText({ subject, session, generation }: SessionClaims): string {
  return JSON.stringify({ subject, session, ...(generation > 1 ? { generation } : {}) });
}

/** The claims of an SSH certificate; undefined where it has none. Throws `bad_parameter` for malformed ones. */
export function readSshSession(extensions: ReadonlyMap<string, string>): SessionClaims | undefined {
  const text = extensions.get(sshSessionExtension);
  return text === undefined ? undefined : readJson(text, sessionClaims, "session");
}

export function encodeSession(claims: SessionClaims): CertificateExtension {
  return { oid: sessionOid, critical: false, value: der(derTag.utf8String, Buffer.from(sessionText(claims), "utf8")) };
}

/** The claims among a certificate's extensions, if there are any. Throws `bad_parameter` for malformed ones. */
export function readSession(extensions: readonly CertificateExtension[]): SessionClaims | undefined {
  const extension = extensions.find(({ oid }) => oid === sessionOid);
  if (!extension) return undefined;
  const reader = new DerReader(extension.value, "the certificate's session");
  if (reader.peek() !== derTag.utf8String) throw reader.error("it is not a UTF-8 text");
  const text = reader.text();
  reader.end();
  return readJson(text, sessionClaims, "session");
}

/** JSON text of a certificate by its schema. Throws `bad_parameter`. */
export function readJson<T>(text: string, schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } }, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GatehouseError("bad_parameter", `the certificate's ${what} is not JSON`, { cause: error });
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new GatehouseError("bad_parameter", `the certificate's ${what} has an unknown shape`);
  return result.data;
}
