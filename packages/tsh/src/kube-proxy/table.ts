import { describeDuration, escapeLine } from "@gatehouse/core/base";
import { formatTable, type Style } from "@gatehouse/core/client/terminal";
import type { SeenRequest, SeenRequests } from "@gatehouse/agent/kube-proxy";

/** How often the table is drawn at most, ms. */
const period = 250;
const mostRows = 20;
/** Lines of the terminal that the table leaves alone. */
const spare = 6;

/** The terminal that the table is on. */
export interface TableTerminal {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

/** `840 B`, `12.3 kB`, `4.1 MB`. */
export function describeBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.95 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** What stands in a line: its end is what gives way where the terminal is narrow. */
const clip = (line: string, columns: number): string => (line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`);

/** The lines of the table, none longer than `columns`. */
export function tableLines(requests: readonly SeenRequest[], count: number, options: { readonly now: number; readonly columns: number; readonly several: boolean; readonly style: Style }): readonly string[] {
  const { now, columns, several, style } = options;
  const header = ["STATUS", "VERB", "TIME", "BYTES", ...(several ? ["CLUSTER"] : []), "RESOURCE"];
  const rows = requests.map(({ status, verb, began, ended, bytes, cluster, what }) => [status === undefined ? "…" : String(status), verb, describeDuration(Math.max(0, (ended ?? now) - began)), describeBytes(bytes), ...(several ? [cluster] : []), what]);
  const [head = "", ...lines] = formatTable(header, rows).trimEnd().split("\n").map((line) => clip(line, columns));
  const shown = lines.map((line, index) => {
    const request = requests[index];
    if (request === undefined) return line;
    if ((request.status ?? 0) >= 400) return style.red(line);
    return request.ended === undefined ? line : style.dim(line);
  });
  const live = requests.filter(({ ended }) => ended === undefined).length;
  return [style.bold(head), ...shown, style.dim(clip(`${count} ${count === 1 ? "request" : "requests"}${live === 0 ? "" : `, ${live} under way`}; Ctrl-C ends the proxy`, columns))];
}

/** A table of requests that is drawn over itself. */
export interface RequestTable {
  /** Takes it off the terminal, for something else to be said there. */
  pause(): void;
  resume(): void;
  /** Leaves it as it is. */
  stop(): void;
}

/** Draws what passes until it is stopped; only where something has changed, and no oftener than four times a second. */
export function startTable(requests: SeenRequests, terminal: TableTerminal, options: { readonly several: boolean; readonly style: Style; readonly now: () => number }): RequestTable {
  let drawn = 0;
  let version = -1;
  let second = 0;
  let paused = false;
  const erase = (): void => {
    if (drawn > 0) terminal.write(`\x1b[${drawn}F\x1b[J`);
    drawn = 0;
    version = -1;
  };
  const draw = (): void => {
    const now = options.now();
    const list = requests.list(Math.max(1, Math.min(mostRows, (terminal.rows ?? 24) - spare)));
    const moves = list.some(({ ended }) => ended === undefined) && Math.floor(now / 1000) !== second;
    if (paused || (requests.version === version && !moves)) return;
    version = requests.version;
    second = Math.floor(now / 1000);
    const lines = tableLines(list, requests.count, { ...options, now, columns: (terminal.columns ?? 80) - 1 });
    // In one write, each line over the one that was there: nothing flickers.
    const up = drawn > 0 ? `\x1b[${drawn}F` : "";
    terminal.write(`${up}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
    drawn = lines.length;
  };
  draw();
  const timer = setInterval(draw, period).unref();
  return {
    pause() {
      erase();
      paused = true;
    },
    resume() {
      paused = false;
      draw();
    },
    stop() {
      clearInterval(timer);
    },
  };
}

/** A line of a shell that sets a variable. */
export function exportLine(name: string, value: string): string {
  const quoted = /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
  return `export ${name}=${escapeLine(quoted)}\n`;
}
