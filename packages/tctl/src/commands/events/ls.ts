import { Flags } from "@oclif/core";
import type { AdminClient, EventsRequest, LoggedEvent } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, formatJson, systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { eventHeader, eventRow } from "../../audit/events.ts";
import { parseMoment } from "../../times.ts";

const maxLimit = 10_000;

/** The newest events that fit, at most `limit`, oldest first; and whether there are more. */
async function newest(admin: AdminClient, request: EventsRequest, limit: number): Promise<{ readonly events: readonly LoggedEvent[]; readonly more: boolean }> {
  const found: LoggedEvent[] = [];
  let cursor: string | undefined;
  do {
    const page = await admin.events({ ...request, order: "desc", limit: limit - found.length, cursor });
    found.push(...page.events);
    cursor = page.cursor;
  } while (cursor !== undefined && found.length < limit);
  return { events: found.reverse(), more: cursor !== undefined };
}

/** `tctl events ls` */
export class EventsLs extends TctlCommand {
  static override summary = "List events of the audit log, or follow them";
  static override description = "The newest that fit, oldest first: what your roles let you list and read. --follow prints events as they are written, in --format=json one a line.";
  static override examples = [
    "<%= config.bin %> events ls --since=1h",
    "<%= config.bin %> events ls --event=kube.denied --user=ana --from=2026-11-01 --to=2026-11-08",
    "<%= config.bin %> events ls --follow --format=json",
  ];
  static override flags = {
    ...connectFlags,
    event: Flags.string({ summary: "Name of the events, such as kube.request; may be repeated", helpValue: "<name>", multiple: true }),
    user: Flags.string({ summary: "Whose events", helpValue: "<user>" }),
    sid: Flags.string({ summary: "Of which session", helpValue: "<id>" }),
    since: Flags.string({ summary: "How far back", helpValue: "<7d|12h|30m>", exclusive: ["from", "follow"] }),
    from: Flags.string({ summary: "Not before this day or moment", helpValue: "<time>", exclusive: ["follow"] }),
    to: Flags.string({ summary: "Before this day or moment", helpValue: "<time>", exclusive: ["follow"] }),
    limit: Flags.integer({ summary: "How many at most", default: 500, min: 1, max: maxLimit }),
    follow: Flags.boolean({ summary: "Print events as they are written, until Ctrl-C" }),
    ...formatFlag,
  };

  /** Asks the gateway and prints. */
  async run(): Promise<void> {
    const { flags } = await this.parse(EventsLs);
    const { format, limit } = flags;
    const admin = await this.connect(flags);
    const request: EventsRequest = { event: flags.event, user: flags.user, sid: flags.sid };
    if (flags.follow) {
      if (format === "yaml") throw new GatehouseError("usage", "--follow prints lines of text or of JSON", { hint: "use --format=json" });
      for await (const event of admin.followEvents(request)) {
        this.output.stdout.write(format === "json" ? `${formatJson(event)}\n` : `${eventRow(event).map(escapeLine).join("  ")}\n`);
      }
      throw new GatehouseError("unavailable", "the gateway has ended", { hint: "run the command again" });
    }
    const now = systemClock.now();
    const begin = flags.since ?? flags.from;
    const moments = { from: begin === undefined ? undefined : parseMoment(begin, now), to: flags.to === undefined ? undefined : parseMoment(flags.to, now) };
    const { events, more } = await newest(admin, { ...request, ...moments }, limit);
    if (format !== "text") {
      this.output.stdout.write(await formatData(events, format));
      return;
    }
    this.output.stdout.write(formatTable(eventHeader, events.map(eventRow)));
    if (events.length === 0) this.output.stderr.write("no events that you may see fit this\n");
    if (more) this.output.stderr.write(`there are more: these are the newest ${events.length}; narrow them down, or raise --limit\n`);
  }
}
