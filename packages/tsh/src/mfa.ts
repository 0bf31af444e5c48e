import { setTimeout as after } from "node:timers/promises";
import type { AdminClient, MfaLinkRequest, MfaResponse } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { gatherFacts, openBrowser, placeOf } from "@gatehouse/core/client";
import { describeEnd, formatData, startSpinner, type DataFormat, type Output } from "@gatehouse/core/client/terminal";

const period = 1500;

/** How a page about one's own second factors is brought to the person. */
export interface MfaPage {
  readonly admin: AdminClient;
  readonly output: Output;
  readonly format: "text" | DataFormat;
  /** `none` prints the link alone; else a program to open it with. */
  readonly browser: string | undefined;
}

/** Looks until the page has done its work. Throws `not_found` where the link ended before. */
async function untilChanged(admin: AdminClient, before: MfaResponse, expires: number): Promise<MfaResponse> {
  const mark = ({ devices, recovery_codes: codes }: MfaResponse): string => JSON.stringify([devices.map(({ name, created }) => [name, created]), codes.created]);
  while (systemClock.now() < expires) {
    await after(period);
    const now = await admin.mfa();
    if (mark(now) !== mark(before)) return now;
  }
  throw new GatehouseError("not_found", "the link has expired, and nothing was changed", { hint: "run it again" });
}

/**
 * Opens a page, good once, on which the person changes their second factors, and waits for it. Without a terminal, or for a program, prints the
 * link and leaves it at that; then returns undefined.
 */
export async function openMfaPage(page: MfaPage, request: MfaLinkRequest): Promise<MfaResponse | undefined> {
  const { admin, output, format, browser } = page;
  const before = await admin.mfa();
  const { url, expires } = await admin.mfaLink(request);
  if (format !== "text") {
    output.stdout.write(await formatData({ url, expires: new Date(expires).toISOString() }, format));
    return undefined;
  }
  output.stderr.write(`On this page, which works once, until ${describeEnd(expires, systemClock.now())}:\n`);
  output.stdout.write(`  ${escapeLine(url)}\n`);
  if (output.stderr.isTTY !== true) return undefined;
  const problem = browser === "none" ? undefined : await openBrowser(url, process.env, browser, placeOf(await gatherFacts(process.env)));
  if (problem !== undefined) output.stderr.write(`The browser could not be started (${escapeLine(problem)}); the link works in any browser.\n`);
  const spinner = startSpinner(output, "waiting for the page …", expires - systemClock.now());
  try {
    return await untilChanged(admin, before, expires);
  } finally {
    spinner.stop();
  }
}
