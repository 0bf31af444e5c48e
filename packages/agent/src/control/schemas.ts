import { z } from "zod";
import type { AgentVerb, AgentVerbs } from "@gatehouse/core/client/local-agent";

const nothing = z.strictObject({});
/** Name of a profile or of an entry in a keystore. */
const name = z.string().min(1).max(512);
const passphrase = z.strictObject({ passphrase: z.string().max(4096) });

/** What each verb takes, besides `v` and `verb`. */
export const requestSchemas: { readonly [V in AgentVerb]: z.ZodType<AgentVerbs[V]["request"]> } = {
  hello: z.strictObject({ sshAgent: z.string().max(1024).optional() }),
  status: nothing,
  credentials: z.strictObject({ profile: name }),
  relogin: z.strictObject({ profile: name, proxy: z.string().min(1).max(512), auth: z.string().max(256).nullable() }),
  changed: z.strictObject({ profile: name }),
  "secret-get": z.strictObject({ account: name }),
  "secret-set": z.strictObject({ account: name, text: z.string().max(256 * 1024) }),
  "secret-delete": z.strictObject({ account: name }),
  lock: passphrase,
  unlock: passphrase,
  handover: nothing,
  stop: nothing,
};

/** What every line has, whatever the version of its sender. */
export const lineSchema = z.looseObject({ v: z.int(), verb: z.string().max(64) });
