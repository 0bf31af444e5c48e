import { auditEvents } from "../../audit/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { readHeadlessCode } from "../../formats/index.ts";
import type { Operation } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { kinds } from "../records.ts";
import { equalTexts } from "../sso-request.ts";
import { changeRequest, loadPending, loadTicket, maxWrongCodes, ticketCookie, unknownRequest, type HeadlessRequest, type StoredTicket } from "./record.ts";
import { refuse, requestFields } from "./refuse.ts";
import type { Headless } from "./types.ts";

/** `ip:port` without the port. */
const withoutPort = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");

const spend = ({ item }: StoredTicket): Operation => ({ op: "delete", kind: kinds.headlessTicket, name: item.name, expect: item.revision });

/** The browser's side once it has proved who uses it: it looks, and decides. */
export function createHeadlessDecide(context: Context): Pick<Headless, "view" | "decide"> {
  /** Counts a try before its code is looked at, so that tries in parallel count too. Throws `compare_failed` for those that lose. */
  async function count(request: HeadlessRequest): Promise<HeadlessRequest> {
    const wrongCodes = request.record.wrongCodes + 1;
    const [item] = await context.store.transact([changeRequest(request, { wrongCodes })]);
    return { ...request, item: item ?? request.item, record: { ...request.record, wrongCodes } };
  }

  async function wrongCode(request: HeadlessRequest, by: string, address: string): Promise<GatehouseError> {
    const left = maxWrongCodes - request.record.wrongCodes;
    if (left <= 0) {
      return refuse(context, request, { code: "access_denied", message: `the login was refused: ${String(maxWrongCodes)} wrong codes were typed`, hint: "start again in the terminal: tsh login --headless", by, address, final: true });
    }
    return refuse(context, request, { code: "bad_parameter", message: `that is not the code of this login; ${String(left)} ${left === 1 ? "try is" : "tries are"} left`, hint: "type the code that your own terminal shows", by, address, final: false });
  }

  async function approve(pending: HeadlessRequest, ticket: StoredTicket, typed: string, address: string): Promise<void> {
    const code = readHeadlessCode(typed);
    if (code === undefined) throw new GatehouseError("bad_parameter", "a code is eight letters and digits", { hint: "type the code that your own terminal shows" });
    const request = await count(pending);
    const { person } = ticket;
    if (!equalTexts(code, request.code)) throw await wrongCode(request, person.user, address);
    // In the log before it is in force: an approval that cannot be audited is none.
    await context.audit.emit({ ...auditEvents.headlessApprove, ...requestFields(request), by: person.user, method: person.type === "sso" ? person.kind : "local", "addr.remote": address });
    await context.store.transact([spend(ticket), changeRequest(request, { outcome: { state: "approved", person } })]);
  }

  return {
    async view(id, cookies) {
      const request = await loadPending(context, id);
      await loadTicket(context, id, cookies);
      const { user, host, command, address, ttl, wrongCodes } = request.record;
      return { user, host, command, address: withoutPort(address), ttl, expires: request.item.expires ?? 0, tries: maxWrongCodes - wrongCodes };
    },

    async decide({ id, cookies, decision, origin }) {
      const request = await loadPending(context, id);
      const ticket = await loadTicket(context, id, cookies);
      const address = origin.remoteAddress;
      try {
        if (decision.approve) await approve(request, ticket, decision.code, address);
        else await refuse(context, request, { code: "access_denied", message: "the login was refused in the browser", by: ticket.person.user, address, final: true });
      } catch (error) {
        // Two browsers at once: the other one was faster.
        if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code) && error.id === undefined) throw unknownRequest();
        throw error;
      }
      return { clearCookie: ticketCookie(id) };
    },
  };
}
