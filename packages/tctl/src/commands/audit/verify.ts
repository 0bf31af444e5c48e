import { join } from "node:path";
import { Flags } from "@oclif/core";
import { verifyLogs } from "@gatehouse/core/audit/verify";
import { systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData, plainStyle, takesColor, type Output } from "@gatehouse/core/client/terminal";
import { openLogs, openWitness } from "../../audit/files.ts";
import { formatVerification } from "../../audit/report.ts";
import { TctlCommand, connectFlags } from "../../command.ts";
import { localDataDir } from "../../connect.ts";
import { parseMoment } from "../../times.ts";

/** A line that says how far it is, on a terminal; nothing elsewhere, and nothing in the first second. */
function progressOn({ stderr, animated, style }: Output): { readonly tell: (done: number, total: number) => void; readonly clear: () => void } {
  const begun = performance.now();
  let last = 0;
  let shown = false;
  return {
    tell(done, total) {
      const now = performance.now();
      if (!animated || now - begun < 1000 || now - last < 100) return;
      last = now;
      shown = true;
      const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
      stderr.write(`\r\x1b[2K${style.cyan(`${String(Math.floor((100 * done) / Math.max(1, total))).padStart(3)} %`)} ${mb(done)} of ${mb(total)} MB`);
    },
    clear: () => {
      if (shown) stderr.write("\r\x1b[2K");
    },
  };
}

/** `tctl audit verify` */
export class AuditVerify extends TctlCommand {
  static override summary = "Check that the audit log and its recordings are as they were written";
  static override description =
    "Works on files alone, and without the gateway: on its machine, or on a copy of its log directory. What a witness has (checkpoints, one a line, or a system log with them) proves the log against the gateway's own administrator up to the last checkpoint that it saw. Exit code 1 where something is broken.";
  static override examples = [
    "<%= config.bin %> audit verify",
    "<%= config.bin %> audit verify --from=2026-11-01 --witness=/mnt/witness/example.log",
    "<%= config.bin %> audit verify --log-dir=./copy/log --format=json",
  ];
  static override flags = {
    "data-dir": connectFlags["data-dir"],
    config: connectFlags.config,
    "log-dir": Flags.string({ summary: "The log directory itself, such as a copy of it, whatever the other flags say", helpValue: "<folder>" }),
    from: Flags.string({ summary: "First day that is looked at", helpValue: "<day>" }),
    to: Flags.string({ summary: "Last day that is looked at", helpValue: "<day>" }),
    witness: Flags.string({ summary: "File with the checkpoints that a witness has; may be repeated", helpValue: "<file>", multiple: true }),
    ...formatFlag,
  };

  /** Reads everything and prints what was found. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AuditVerify);
    const now = systemClock.now();
    const directory = flags["log-dir"] ?? join(await localDataDir({ dataDir: flags["data-dir"], config: flags.config }, process.env), "log");
    const sources = await openLogs(directory);
    const witnesses = await Promise.all((flags.witness ?? []).map(openWitness));
    const progress = progressOn(this.output);
    const moment = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseMoment(text, now));
    const found = await verifyLogs({ sources, witnesses, from: moment(flags.from), to: moment(flags.to), onProgress: progress.tell }).finally(progress.clear);
    const style = takesColor(process.stdout, process.env) ? this.output.style : plainStyle;
    this.output.stdout.write(flags.format === "text" ? formatVerification(found, { witnesses: witnesses.length, now, style }) : await formatData(found, flags.format));
    if (!found.unbroken) process.exitCode = 1;
  }
}
