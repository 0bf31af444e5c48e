import { z } from "zod";

/** `POST /gatehouse/v1/sso/test`: the connector as its resource, and where the terminal waits (reference §1.8). */
export const ssoTestRequest = z.strictObject({ connector: z.record(z.string(), z.unknown()), redirect_url: z.string().max(4096) });
export type SsoTestRequest = z.infer<typeof ssoTestRequest>;

/** What came of a connector's test: sealed like a login's answer, in the loopback query `response`. */
export const ssoTestOutcome = z.object({
  /** Name and immutable id at the provider. */
  name: z.string(),
  id: z.string(),
  /** What the provider said: claims, attributes, teams; of very much, what fits into an address that a browser takes. */
  received: z.record(z.string(), z.unknown()),
  rules: z.array(z.object({ rule: z.string(), matched: z.boolean(), gives: z.array(z.string()) })),
  roles: z.array(z.string()),
  /** Of the roles those that do not exist. */
  missing_roles: z.array(z.string()),
  traits: z.record(z.string(), z.array(z.string())),
  /** Accounts on hosts. */
  logins: z.array(z.string()),
  /** Groups in each Kubernetes cluster of this gateway. */
  kubernetes: z.array(z.object({ cluster: z.string(), groups: z.array(z.string()) })),
  /** Why a login would be refused. */
  problem: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
});
export type SsoTestOutcome = z.infer<typeof ssoTestOutcome>;
