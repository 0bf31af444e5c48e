import { escapeLine } from "../../base/index.ts";
import { bashReply, type BashLine } from "./bash-line.ts";
import { isTypable, shortNote } from "./cache.ts";
import type { Answer, Candidate } from "./candidates.ts";

/** Shells that there is a script for. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];
export const isShell = (name: string | undefined): name is Shell => (shells as readonly (string | undefined)[]).includes(name);

/** Most candidates that a shell is given: more help nobody. */
const most = 1000;

/** What begins with a dash is a flag of ours, which its manifest names; anything else is outside text that has to be typable. */
const fit = ({ value }: Candidate): boolean => isTypable(value.replace(/^-+/, "")) && escapeLine(value) === value;

/** Candidates first-come, each value once. */
function chosen({ candidates }: Answer): readonly Candidate[] {
  const seen = new Set<string>();
  return candidates.filter((each) => fit(each) && !seen.has(each.value) && seen.add(each.value)).slice(0, most);
}

const lines = (files: Answer["files"], rest: readonly string[]): string => [`:${files}`, ...rest, ""].join("\n");

/** For bash: what readline puts in, a line each. */
export function renderBash(answer: Answer, line: BashLine, breaks: string): string {
  return lines(answer.files, chosen(answer).flatMap(({ value, open }) => bashReply(line, breaks, value, open !== true) ?? []));
}

/** For zsh, which quotes by itself: `-` where no space follows (`+` where one does), the value without `attached` (which the script cuts off), the note; tabs between. */
export function renderZsh(answer: Answer, attached: string): string {
  return lines(answer.files, chosen(answer).map(({ value, open, note }) => [open === true ? "-" : "+", value.slice(attached.length), shortNote(note ?? "")].join("\t")));
}

/** For fish, which quotes by itself, and puts no space behind `=`, `/`, `:`, `@`: value and note, a tab between. */
export function renderFish(answer: Answer): string {
  return lines(answer.files, chosen(answer).map(({ value, note }) => (note === undefined || note === "" ? value : `${value}\t${shortNote(note)}`)));
}
