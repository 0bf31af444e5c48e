import type { StatusResponse } from "@gatehouse/core/api";
import { describeDuration, escapeLine, systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData, formatFields } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../command.ts";

/** How well the audit log is proven, a line each: the last checkpoint, and every witness. */
function auditLines({ checkpoint, problem, witnesses }: NonNullable<StatusResponse["audit"]>, now: number): readonly string[] {
  const ago = (time: number): string => describeDuration(Math.max(0, now - time)) || "0 s";
  const own = problem === undefined ? (checkpoint === undefined ? "no checkpoint yet" : `✔ last checkpoint ${ago(checkpoint.time)} ago`) : `✖ no checkpoint: ${escapeLine(problem)}`;
  if (witnesses.length === 0) return [own, "no witness: the log is proven to nobody but this machine (docs/audit.md)"];
  const others = witnesses.map(({ name, waiting, lag, problem: why }) => {
    if (waiting === 0) return `${escapeLine(name)} ✔`;
    return `${escapeLine(name)} ${why === undefined ? "…" : "✖"} ${waiting} checkpoint${waiting === 1 ? "" : "s"} behind, ${describeDuration(lag)}${why === undefined ? "" : `: ${escapeLine(why)}`}`;
  });
  return [own, ...others];
}

/** `tctl status` */
export class Status extends TctlCommand {
  static override summary = "Show the cluster, its authorities and its Kubernetes clusters";
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Asks the gateway. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const status = await (await this.connect(flags)).status();
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(status, flags.format));
      return;
    }
    const kubernetes = status.kubernetes.map(({ name, healthy, problem }) => `${escapeLine(name)} ${healthy ? "✔" : "✖"}${problem === undefined ? "" : ` ${escapeLine(problem)}`}`);
    this.output.stdout.write(
      formatFields([
        ["cluster", escapeLine(status.cluster)],
        ["version", escapeLine(status.version)],
        ...(status.public_url === undefined ? [] : ([["address", escapeLine(status.public_url)]] as const)),
        ["ca pin", escapeLine(status.ca_pin)],
        ["authorities", status.authorities.map(({ kind, fingerprint }) => `${kind.padEnd(8)} ${fingerprint}`).join("\n")],
        ["kubernetes", kubernetes.length === 0 ? "off" : kubernetes.join("\n")],
        ...(status.notes === undefined ? [] : ([["notes", status.notes.map(escapeLine).join("\n")]] as const)),
        ["live streams", String(status.streams)],
        ...(status.audit === undefined ? [] : ([["audit log", auditLines(status.audit, systemClock.now()).join("\n")]] as const)),
      ]),
    );
  }
}
