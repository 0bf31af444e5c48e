/** What `tsh doctor` looks at, and what it finds. */
export { examine } from "./examine.ts";
export type { ExamineOptions } from "./examine.ts";
export type { Finding, Outcome } from "./finding.ts";
export { describeFindings, exitCodeFor, findingsData } from "./report.ts";
