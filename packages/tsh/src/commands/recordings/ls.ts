import { Flags } from "@oclif/core";
import { maxRecordings, recordingKinds, type RecordingItem, type RecordingKind } from "@gatehouse/core/api";
import { formatDuration, systemClock } from "@gatehouse/core/base";
import { openSession } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { commandWords, describePlace, parseSince } from "@gatehouse/core/client/recordings";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { loginFlags } from "../../command.ts";

const shortId = 8;
const maxCommand = 40;
const two = (value: number): string => String(value).padStart(2, "0");

/** `2026-11-23 09:14`, local time. */
function when(time: number): string {
  const date = new Date(time);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function what(item: RecordingItem): string {
  const { kind } = item;
  if (kind === "unknown") return "-";
  const words = commandWords(item);
  return `${kind} ${describePlace({ ...item, container: "" })} ${words.length > maxCommand ? `${words.slice(0, maxCommand - 1)}…` : words}`.trimEnd();
}

function length({ duration, complete, interrupted, damaged }: RecordingItem): string {
  if (damaged !== undefined) return "damaged";
  return `${formatDuration(duration < 1000 ? duration : Math.round(duration / 1000) * 1000)}${interrupted ? ", interrupted" : complete ? "" : ", cut off"}`;
}

/** As many characters of the ids as tell them apart. */
function idLength(sids: readonly string[]): number {
  let digits = shortId;
  while (digits < 36 && new Set(sids.map((sid) => sid.slice(0, digits))).size < sids.length) digits++;
  return digits;
}

/** `tsh recordings ls` */
export class RecordingsLs extends BaseCommand {
  static override summary = "List recordings of sessions";
  static override description = "Lists your own sessions, and those of others that your roles let you see, the latest first. Play one with tsh play.";
  static override examples = ["<%= config.bin %> recordings ls", "<%= config.bin %> recordings ls --user=ana --since=7d", "<%= config.bin %> recordings ls --cluster=prod --pod=web-5d9c --format=json", "<%= config.bin %> recordings ls --node=web-1 --login=root --kind=shell"];
  static override flags = {
    ...loginFlags,
    ...formatFlag,
    user: Flags.string({ summary: "Sessions of this person", helpValue: "<name>" }),
    cluster: Flags.string({ summary: "In this Kubernetes cluster", helpValue: "<name>" }),
    pod: Flags.string({ summary: "In this pod", helpValue: "<name>" }),
    node: Flags.string({ summary: "On this host", helpValue: "<name|id>" }),
    login: Flags.string({ summary: "As this user of the host", helpValue: "<login>" }),
    since: Flags.string({ summary: "That started at most so long ago, or at this date or later", helpValue: "<7d|12h|2026-11-01>" }),
    kind: Flags.string({ summary: "Of this kind", options: [...recordingKinds] }),
    limit: Flags.integer({ summary: "At most so many", min: 1, max: maxRecordings, default: 100 }),
  };

  /** Asks the gateway. */
  async run(): Promise<void> {
    const { flags } = await this.parse(RecordingsLs);
    const { user, cluster, pod, node, login, limit } = flags;
    const now = systemClock.now();
    const since = flags.since === undefined ? undefined : parseSince(flags.since, now);
    const { admin } = await openSession(process.env, flags, now);
    const items = await admin.recordings({ user, cluster, pod, node, login, since, kind: flags.kind as RecordingKind | undefined, limit });
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(items, flags.format));
      return;
    }
    const digits = idLength(items.map(({ sid }) => sid));
    const rows = items.map((item) => [item.sid.slice(0, digits), item.user || "-", what(item), when(item.started), length(item)]);
    this.output.stdout.write(formatTable(["ID", "WHO", "WHAT", "WHEN", "LENGTH"], rows));
    if (items.length === limit) this.output.stderr.write(`these are the last ${limit}; --limit shows more\n`);
    if (items.length === 0) this.output.stderr.write("no recordings that you may see fit this\n");
  }
}
