import { escapeLine } from "@gatehouse/core/base";
import type { Style } from "@gatehouse/core/client/terminal";
import type { Finding, Outcome } from "./finding.ts";

const marks: Readonly<Record<Outcome, string>> = { ok: "✔", warning: "!", failed: "✖", skipped: "-" };

function colored(outcome: Outcome, style: Style): string {
  const mark = marks[outcome];
  return { ok: style.green, warning: style.yellow, failed: style.red, skipped: style.dim }[outcome](mark);
}

/** A line for each finding, and under it what to do. */
export function describeFindings(findings: readonly Finding[], style: Style): string {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2;
  return findings
    .map(({ check, detail, fix, outcome }) => {
      const line = `${colored(outcome, style)} ${check.padEnd(width)}${outcome === "skipped" ? style.dim(escapeLine(detail)) : escapeLine(detail)}\n`;
      return fix === undefined ? line : `${line}${" ".repeat(width + 2)}→ ${escapeLine(fix)}\n`;
    })
    .join("");
}

/** The worst of all outcomes. */
function worst(findings: readonly Finding[]): Outcome {
  const has = (outcome: Outcome): boolean => findings.some((finding) => finding.outcome === outcome);
  return has("failed") ? "failed" : has("warning") ? "warning" : "ok";
}

/** The findings for programs. */
export function findingsData(findings: readonly Finding[]): Readonly<Record<string, unknown>> {
  return { outcome: worst(findings), checks: findings.map(({ check, detail, fix, outcome }) => ({ check, outcome, detail, ...(fix === undefined ? {} : { fix }) })) };
}

/** 0 where nothing failed, 3 where logging in is all that it takes, else 1. */
export function exitCodeFor(findings: readonly Finding[]): number {
  const bad = findings.filter(({ outcome }) => outcome === "failed");
  if (bad.length === 0) return 0;
  return bad.every(({ login }) => login === true) ? 3 : 1;
}
