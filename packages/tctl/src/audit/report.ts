import type { Finding, Note, ServerSummary, Verification } from "@gatehouse/core/audit/verify";
import { describeDuration, escapeLine } from "@gatehouse/core/base";
import type { Style } from "@gatehouse/core/client/terminal";

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, " ");
const counted = (value: number, one: string): string => `${grouped(value)} ${one}${value === 1 ? "" : "s"}`;

function whereOf({ server, place }: Finding | Note): string {
  if (!place) return server === "" ? "" : server;
  return `${server === "" ? "" : `${server}/`}${place.file}:${place.line}`;
}

function lineOf(entry: Finding | Note): string {
  return `  ${entry.kind.padEnd(11)}${escapeLine([whereOf(entry), entry.text].filter((part) => part !== "").join("  "))}\n`;
}

function provenOf({ server, proven, from, unproven }: ServerSummary, several: boolean, now: number): string {
  const name = several ? `${escapeLine(server)}: ` : "";
  if (!proven) return `  ${name}no checkpoint of it is known to a witness\n`;
  const rest = unproven === 0 ? "nothing follows" : `what follows (${counted(unproven, "line")}, ${describeDuration(Math.max(0, now - Date.parse(proven.time)))}) is consistent in itself`;
  const range = from === undefined ? "complete" : `from ${escapeLine(from)}`;
  return `  ${name}proven ${range} to ${proven.time} (witness ${escapeLine(proven.witness)}); ${rest}\n`;
}

/** The outcome of a verification for people. */
export function formatVerification(found: Verification, options: { readonly witnesses: number; readonly now: number; readonly style: Style }): string {
  const { servers, findings, notes, unbroken } = found;
  const sum = (pick: (server: ServerSummary) => number): number => servers.reduce((total, server) => total + pick(server), 0);
  const what = [counted(sum(({ lines }) => lines), "event"), counted(sum(({ recordings }) => recordings), "recording"), counted(servers.length, "gateway"), counted(sum(({ files }) => files), "day")].join(", ");
  const { style } = options;
  const head = unbroken ? `${style.green("✔")} ${what}: unbroken\n` : `${style.red("✖")} ${what}: broken, ${counted(findings.length, "finding")}\n`;
  const proof =
    options.witnesses === 0
      ? "  no witness was given: whoever is root on the gateway could have written all of this anew, and nothing here proves otherwise\n"
      : unbroken
        ? servers.map((server) => provenOf(server, servers.length > 1, options.now)).join("")
        : "";
  return [head, ...findings.map(lineOf), proof, ...notes.map((note) => style.dim(lineOf(note)))].join("");
}
