import { z } from "zod";
import type { Bot } from "../types.ts";
import { duration, fields, list } from "./fields.ts";
import { metadata } from "./metadata.ts";
import { role, traits } from "./user.ts";

const maxTtl = 3_600_000;

/** `bot` v1. */
export const botV1: z.ZodType<Bot> = fields({
  kind: z.literal("bot"),
  version: z.literal("v1"),
  metadata: metadata((name) => (/^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/.test(name) ? undefined : "may only have letters, digits and . _ -, 100 at most, a letter or digit first")),
  spec: z.preprocess(
    (value) => value ?? {},
    fields({
      roles: list(role).refine((roles) => roles.length > 0, "needs roles: a bot without any can do nothing"),
      traits,
      max_ttl: duration(0).refine((ms) => ms === 0 || (ms >= 60_000 && ms <= maxTtl), "is 1 minute to 1 hour"),
    }),
  ),
});
