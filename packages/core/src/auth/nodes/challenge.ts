import { createHmac, timingSafeEqual } from "node:crypto";
import { GatehouseError, randomHex } from "../../base/index.ts";
import { verifySshSig } from "../../formats/index.ts";
import type { Context } from "../context.ts";

/** ms that a challenge is good for. */
const life = 5 * 60_000;
/** `ssh-keygen -Y sign -n`: a signature for this is good for nothing else. */
export const hostNamespace = "gatehouse-host";

function seal(key: string, body: string): string {
  return createHmac("sha256", `node-challenge ${key}`).update(body).digest("hex");
}

/** A challenge that any gateway of the cluster knows again without having kept it. */
export async function newChallenge({ sharedKey, clock, random }: Context): Promise<string> {
  const body = `${clock.now()}.${randomHex(random, 16)}`;
  return `${body}.${seal(await sharedKey(), body)}`;
}

/** Throws `access_denied` unless the challenge is one of ours, and young. */
async function checkChallenge({ sharedKey, clock }: Context, challenge: string): Promise<void> {
  const parts = /^((\d{1,16})\.[0-9a-f]{32})\.([0-9a-f]{64})$/.exec(challenge);
  const [, body = "", time = "", mac = ""] = parts ?? [];
  const known = parts !== null && timingSafeEqual(Buffer.from(mac), Buffer.from(seal(await sharedKey(), body)));
  const age = clock.now() - Number(time);
  if (!known || age > life || age < -life) throw new GatehouseError("access_denied", "the challenge is not one of this cluster, or older than five minutes", { hint: "ask for another one" });
}

/** What a host signs to join: a line each. */
export const joinMessage = (request: { readonly challenge: string; readonly name: string; readonly addr: string; readonly labels: string }): string =>
  `join\n${request.challenge}\n${request.name}\n${request.addr}\n${request.labels}\n`;

/** What a host signs to renew its certificate. */
export const renewMessage = ({ challenge, id }: { readonly challenge: string; readonly id: string }): string => `renew\n${challenge}\n${id}\n`;

/** The wire form of the key that signed. Throws `access_denied` or `bad_parameter`. */
export async function provenKey(context: Context, { challenge, signature }: { readonly challenge: string; readonly signature: string }, message: string): Promise<Buffer> {
  await checkChallenge(context, challenge);
  return verifySshSig(signature, Buffer.from(message), hostNamespace);
}
