import { headlessLimits } from "../../api/index.ts";
import { auditEvents } from "../../audit/index.ts";
import { GatehouseError, addressKey, createRateLimiter } from "../../base/index.ts";
import { headlessCode } from "../../formats/index.ts";
import type { Context } from "../context.ts";
import { checkRequest } from "../issue.ts";
import { digest, kinds } from "../records.ts";
import { equalTexts, randomToken } from "../sso-request.ts";
import { issueTo } from "./issue.ts";
import { freeSlot, loadRequest, unknownRequest, type HeadlessRequest, type RequestRecord } from "./record.ts";
import { requestFields } from "./refuse.ts";
import type { Headless } from "./types.ts";

/** Requests of one user from one address that wait at once: anybody may ask in anybody's name, and must not take the places of where the person is. */
const maxPending = 3;
/** Requests that one gateway takes within their lifetime, and of these from one address. */
const maxForAll = 2048;
const maxForAddress = 12;
/** Polls that one gateway holds open; more are answered at once. */
const maxWaiting = 512;

/** Resolves when the request changes, or after `ms`; `stop` lets go of both. */
function change({ store }: Context, id: string, ms: number): { readonly happened: Promise<void>; stop(): void } {
  let stop = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const unsubscribe = store.subscribe((changes) => {
      if (changes.some(({ kind, name }) => kind === "*" || (kind === kinds.headless && name === id))) resolve();
    });
    stop = () => {
      clearTimeout(timer);
      unsubscribe();
    };
  });
  return { happened, stop };
}

/** The terminal's side: it asks, and waits for the decision. */
export function createHeadlessAsk(context: Context): Pick<Headless, "ask" | "poll"> {
  const { store, clock, random, audit } = context;
  const perSecond = (burst: number): number => (burst / headlessLimits.lifetime) * 1000;
  const forAll = createRateLimiter({ burst: maxForAll, perSecond: perSecond(maxForAll), keys: 1 }, clock);
  const forAddress = createRateLimiter({ burst: maxForAddress, perSecond: perSecond(maxForAddress), keys: 10_000 }, clock);
  let waiting = 0;

  /** The request and one of its user's slots at that address, both or neither. */
  async function save(id: string, record: Omit<RequestRecord, "slot">, code: string, expires: number): Promise<RequestRecord> {
    for (let slot = 0; slot < maxPending; slot++) {
      const taken: RequestRecord = { ...record, slot: `${digest(JSON.stringify([record.user, addressKey(record.address)]))}/${String(slot)}` };
      try {
        await store.transact([
          { op: "put", kind: kinds.headlessSlot, name: taken.slot, value: "{}", expires, expect: "absent" },
          { op: "put", kind: kinds.headless, name: id, value: JSON.stringify(taken), secret: JSON.stringify({ code }), expires, expect: "absent" },
        ]);
        return taken;
      } catch (error) {
        if (!(error instanceof GatehouseError) || error.code !== "already_exists") throw error;
      }
    }
    throw new GatehouseError("limit_exceeded", `${String(maxPending)} logins of ${record.user} wait for an approval already`, { hint: "approve or refuse one of them, or try again in two minutes" });
  }

  /** The request as soon as it is decided, or as it is after `wait` ms. */
  async function decided(id: string, pollSecret: string, wait: number): Promise<HeadlessRequest> {
    const deadline = performance.now() + (waiting < maxWaiting ? wait : 0);
    waiting += 1;
    try {
      for (;;) {
        const left = deadline - performance.now();
        const next = change(context, id, Math.max(0, left));
        try {
          const request = await loadRequest(context, id);
          if (!equalTexts(digest(pollSecret), request.record.pollHash)) throw unknownRequest();
          if (request.record.outcome.state !== "pending" || left <= 0) return request;
          await next.happened;
        } finally {
          next.stop();
        }
      }
    } finally {
      waiting -= 1;
    }
  }

  /** Uses the request up: exactly one caller gets past this. */
  async function spend(request: HeadlessRequest): Promise<void> {
    try {
      await store.transact([{ op: "delete", kind: kinds.headless, name: request.item.name, expect: request.item.revision }, freeSlot(request)]);
    } catch (error) {
      if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code)) throw unknownRequest();
      throw error;
    }
  }

  return {
    async ask({ user, publicKey, host, command, ttl, origin }) {
      checkRequest({ publicKey, ttl, compatibility: "" });
      const address = origin.remoteAddress;
      if (forAddress.take(addressKey(address)) > 0) throw new GatehouseError("limit_exceeded", "too many logins from your address wait for an approval", { hint: "try again in a minute" });
      if (forAll.take("all") > 0) throw new GatehouseError("limit_exceeded", "too many logins wait for an approval", { hint: "try again in a minute" });
      const id = Buffer.from(random(16)).toString("base64url");
      const pollSecret = randomToken(random);
      const expires = clock.now() + headlessLimits.lifetime;
      const record = { user, publicKey, host, command, address, ttl: Math.min(ttl, headlessLimits.maxTtl), pollHash: digest(pollSecret), wrongCodes: 0, outcome: { state: "pending" as const } };
      const saved = await save(id, record, headlessCode({ id, pollSecret, publicKey }), expires);
      await audit.emit({ ...auditEvents.headlessRequest, ...requestFields({ id, record: saved }), "addr.remote": address });
      return { id, pollSecret, expires };
    },

    async poll({ id, pollSecret, wait, origin }) {
      const request = await decided(id, pollSecret, wait);
      const { outcome } = request.record;
      if (outcome.state === "pending") return { state: "pending" };
      await spend(request);
      if (outcome.state === "refused") throw new GatehouseError("access_denied", outcome.reason, { id: outcome.id });
      return { state: "approved", login: await issueTo(context, outcome.person, request, origin) };
    },
  };
}
