import { Args, Flags } from "@oclif/core";
import { GatehouseError, formatDuration } from "@gatehouse/core/base";
import { BaseCommand } from "@gatehouse/core/client/command";
import { exportAsciicastText, exportFormats, exportRecording, fileBytes, isLarger, openPlayable, play, processTerminal, systemTimer, type ExportFormat, type Playable } from "@gatehouse/core/client/recordings";
import { loginFlags } from "../command.ts";
import { openRecordingOf, toStandardOutput, writeSlowly, type OpenedRecording } from "../recordings.ts";

const interrupted = 130;
const idle = 1000;

const speed = Flags.custom<number>({
  summary: "How fast: 2 is twice as fast",
  helpValue: "<factor>",
  default: 1,
  parse: (text) => {
    const factor = /^\d{1,3}(?:\.\d{1,3})?$/.test(text) ? Number(text) : 0;
    if (factor <= 0) throw new GatehouseError("usage", `--speed: "${text}" is no factor`, { hint: "write it as 0.5, 2 or 16" });
    return Promise.resolve(factor);
  },
});

async function write(file: OpenedRecording["file"], recording: Playable, format: ExportFormat): Promise<void> {
  if (recording.container) await exportRecording(fileBytes(file), format, writeSlowly);
  else if (format === "text") await exportAsciicastText(recording, writeSlowly);
  else throw new GatehouseError("usage", `the file is an asciicast: it cannot become ${format}`, { hint: "leave --format out, or take --format=text" });
}

/** How long what can be played is. */
function describe({ duration }: Playable): string {
  return formatDuration(Math.ceil(duration / 1000) * 1000);
}

function damaged(recording: Playable): GatehouseError {
  return new GatehouseError("bad_parameter", recording.damage ?? "", { hint: `what came before, up to ${describe(recording)}, was shown; what comes after is not to be trusted` });
}

/** `tsh play` */
export class Play extends BaseCommand {
  static override summary = "Play a recording";
  static override description = `Plays a session as it was seen: one on the gateway by its id (a beginning that no other has is enough), or a file, a recording (.rec) or an asciicast (.cast).

Keys: space pauses, ← and → seek 10 s, + and - change the speed, s skips idle time, q quits. Without a terminal, or with --format, the recording is written to standard output instead.`;
  static override examples = ["<%= config.bin %> play 6f0e2a1c", "<%= config.bin %> play 6f0e2a1c --speed=4 --skip-idle", "<%= config.bin %> play session.cast", "<%= config.bin %> play 6f0e2a1c --format=text | less"];
  static override args = { recording: Args.string({ ignoreStdin: true, required: true, description: "session id or its beginning, or a .rec or .cast file" }) };
  static override flags = {
    ...loginFlags,
    speed: speed(),
    "skip-idle": Flags.boolean({ summary: `Make pauses no longer than ${idle / 1000} s` }),
    format: Flags.string({ options: [...exportFormats], summary: "Write it to standard output like this, at once" }),
  };

  /** Plays it, or writes it out. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Play);
    const opened = await openRecordingOf(args.recording, flags, this.output);
    try {
      const format = (flags.format as ExportFormat | undefined) ?? (process.stdout.isTTY ? undefined : "text");
      const recording = await openPlayable(opened.file);
      if (format !== undefined) await toStandardOutput(() => write(opened.file, recording, format));
      const { damage } = recording;
      if (damage === undefined && !recording.complete) this.#warn("the recording is cut off: its end is missing");
      if (format !== undefined) {
        // Whoever reads no more (`| head`) is told all the same.
        if (damage !== undefined) throw damaged(recording);
        return;
      }
      if (damage !== undefined) this.#warn(`${damage}; only what comes before is played, up to ${describe(recording)}`);
      const { columns, rows } = process.stdout;
      if (isLarger(recording.size, { columns, rows })) {
        this.#warn(`the recording is ${recording.size.columns}x${recording.size.rows} and wants a row besides; this terminal is ${columns}x${rows}: enlarge it to see everything`);
      }
      const terminal = processTerminal();
      try {
        const end = await play(recording, { terminal, timer: systemTimer, speed: flags.speed, idleLimit: flags["skip-idle"] ? idle : undefined });
        if (end === "interrupted") process.exitCode = interrupted;
      } finally {
        terminal.close();
      }
      if (damage !== undefined) throw damaged(recording);
    } finally {
      await opened.close();
    }
  }

  #warn(text: string): void {
    this.output.stderr.write(`${this.output.style.yellow("!")} ${text}\n`);
  }
}
