import { describeDuration, escapeLine, type Clock } from "@gatehouse/core/base";
import type { Notifier } from "../notify/index.ts";
import type { HeldLogin } from "./held-login.ts";
import { warningTime } from "./renewal-times.ts";
import type { Renewal } from "./renewer.ts";

/** Tells the person of ends that nothing will move. */
export interface Warner {
  /** A login that is good now. */
  check(login: HeldLogin, renewal: Renewal): void;
  /** One that was good while the agent held it, and has ended. */
  ended(login: HeldLogin): void;
  /** Of a login that nothing more is to be told of. */
  told(): readonly string[];
  restore(told: readonly string[]): void;
}

/** Remembered at once; more logins than anybody has. */
const most = 1000;

/** Nothing is told twice of one login. */
export function createWarner({ clock, notifier, log }: { readonly clock: Clock; readonly notifier: Notifier; readonly log: (text: string) => void }): Warner {
  const told = new Set<string>();
  const once = (login: HeldLogin, what: "soon" | "over", text: string): void => {
    const key = `${what} ${login.profile} ${login.expires}`;
    // Who is kept for a switch of user is not in use.
    if (told.has(key) || login.profile.includes("+")) return;
    if (told.size >= most) told.clear();
    told.add(key);
    log(text);
    notifier.show({ title: "Gatehouse", body: text });
  };
  const gateway = ({ proxy }: HeldLogin): string => escapeLine(proxy.replace(/:3080$/, ""));
  return {
    check(login, { state }) {
      const now = clock.now();
      if (state === "waiting" || now < warningTime(login) || now >= login.expires) return;
      once(login, "soon", `your login to ${gateway(login)} ends in ${describeDuration(Math.max(1000, login.expires - now))}; to go on: tsh login --proxy=${gateway(login)} --force`);
    },
    ended(login) {
      once(login, "over", `your login to ${gateway(login)} has ended; log in: tsh login --proxy=${gateway(login)}`);
    },
    told: () => [...told],
    restore(keys) {
      for (const key of keys.slice(0, most)) told.add(key);
    },
  };
}
