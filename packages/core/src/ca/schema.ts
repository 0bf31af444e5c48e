import { z } from "zod";

const pem = z.string().max(128 * 1024);

/** Public half of a stored authority (`cert_authority/<kind>`): the item's value. */
export const storedAuthority = z.strictObject({
  kind: z.enum(["user", "openssh", "host"]),
  cluster_name: z.string(),
  ssh_keys: z.array(z.string().max(16 * 1024)).min(1).max(8),
  tls_certificates: z.array(pem).max(8),
});
export type StoredAuthority = z.infer<typeof storedAuthority>;

/** Private half, the item's secret: PKCS #8, in the order of the public half. Keys that only verify any more are not there. */
export const storedKeys = z.strictObject({ ssh_keys: z.array(pem).min(1).max(8), tls_keys: z.array(pem).max(8) });
export type StoredKeys = z.infer<typeof storedKeys>;

/** The traits attribute of a user certificate (reference §4.1); v3 writes `null` for none. */
export const traitsAttribute = z.record(z.string(), z.array(z.string())).nullable();

/** Roles of an SSH certificate (reference §3.1). */
export const rolesExtension = z.object({ version: z.literal("v1"), roles: z.array(z.string()) });

/** Our session extension. Certificates of the first generation do not say so. */
export const sessionClaims = z.strictObject({ subject: z.string().min(1).max(1024), session: z.string().min(1).max(256), generation: z.number().int().min(2).max(Number.MAX_SAFE_INTEGER).default(1) });
