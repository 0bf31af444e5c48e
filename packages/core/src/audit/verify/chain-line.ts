import { hash } from "node:crypto";

/** A line's place in the chain of the process that wrote it. */
export interface ChainLink {
  /** 16 hex digits, new for every process. */
  readonly id: string;
  /** Counts the lines of the chain, `audit.start` being 0. */
  readonly n: number;
  /** {@link lineHash} of the line before it, that of an earlier chain too; empty for the first line of all. */
  readonly prev: string;
}

const suffix = /,"chain":\{"id":"([0-9a-f]{16})","n":(0|[1-9]\d{0,14}),"prev":"([A-Za-z0-9_-]{43}|)"\}\}$/;
/** Longer than any {@link chainText}. */
const suffixRoom = 128;

/** What follows the fields of an event: the end of every line. */
export function chainText(link: ChainLink): string {
  return `,"chain":{"id":"${link.id}","n":${link.n},"prev":"${link.prev}"}}`;
}

/** SHA-256 of a line without its newline, base64url. */
export function lineHash(line: string | Uint8Array): string {
  return hash("sha256", line, "base64url");
}

/** The link that a line (without its newline) ends with; undefined where it has none. Whether the rest is JSON is not looked at. */
export function readChain(line: Buffer): ChainLink | undefined {
  const end = line.toString("latin1", Math.max(0, line.length - suffixRoom));
  const match = suffix.exec(end);
  return match ? { id: match[1] ?? "", n: Number(match[2]), prev: match[3] ?? "" } : undefined;
}

const timePattern = /,"time":"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}\.\d{3}Z"$/;
/** Length of what it matches. */
const timeRoom = 34;

/** The day (`YYYY-MM-DD`) of a line with this link; undefined where its time is not where the log writes it, in front of the link. */
export function readDay(line: Buffer, link: ChainLink): string | undefined {
  const end = line.length - chainText(link).length;
  return timePattern.exec(line.toString("latin1", Math.max(0, end - timeRoom), end))?.[1];
}
