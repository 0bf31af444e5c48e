import { z } from "zod";

/** Second factors of a local user: `GET /gatehouse/v1/mfa` (one's own) and `GET /gatehouse/v1/users/:name/mfa`. Times in ms since the epoch. */
export const mfaResponse = z.object({
  devices: z.array(z.object({ name: z.string(), type: z.enum(["totp", "webauthn"]), created: z.number(), last_used: z.number().optional() })),
  recovery_codes: z.object({
    /** Codes that have not been used. */
    left: z.number(),
    created: z.number().optional(),
  }),
});
export type MfaResponse = z.infer<typeof mfaResponse>;

/** `POST /gatehouse/v1/mfa/link`: what is to be done on the page. */
export const mfaLinkRequest = z.discriminatedUnion("purpose", [
  z.strictObject({ purpose: z.literal("add") }),
  z.strictObject({ purpose: z.literal("codes") }),
  z.strictObject({ purpose: z.literal("remove"), device: z.string().min(1).max(256) }),
]);
export type MfaLinkRequest = z.infer<typeof mfaLinkRequest>;

/** A page that works once; expires in ms since the epoch. */
export const mfaLinkResponse = z.object({ url: z.string(), expires: z.number() });
export type MfaLinkResponse = z.infer<typeof mfaLinkResponse>;

/** `DELETE /gatehouse/v1/users/:name/mfa?device=…`; without `device` all, and the recovery codes. */
export const mfaRemoveResponse = z.object({
  removed: z.array(z.string()),
  /** Whether the user still has what the cluster asks for at a login. */
  can_log_in: z.boolean(),
});
export type MfaRemoveResponse = z.infer<typeof mfaRemoveResponse>;
