import { open, rename, rm } from "node:fs/promises";
import { Args, Flags } from "@oclif/core";
import { GatehouseError, errorMessage, randomHex, systemClock, systemRandom } from "@gatehouse/core/base";
import { openSession } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { exportFormats, exportRecording, findRecording, type ExportFormat } from "@gatehouse/core/client/recordings";
import { loginFlags } from "../../command.ts";
import { progressOf, toStandardOutput, writeSlowly } from "../../recordings.ts";

/** `tsh recordings export` */
export class RecordingsExport extends BaseCommand {
  static override summary = "Write a recording as asciicast, JSON or text";
  static override description =
    "cast is asciicast v2, which asciinema plays; json is one record a line with its bytes in base64; text is what was said, without escape sequences. Every export is in the audit log.";
  static override examples = ["<%= config.bin %> recordings export 6f0e2a1c --format=cast --out=session.cast", "<%= config.bin %> recordings export 6f0e2a1c --format=text | grep passwd"];
  static override args = { id: Args.string({ ignoreStdin: true, required: true, description: "session id, or its beginning" }) };
  static override flags = {
    ...loginFlags,
    format: Flags.string({ options: [...exportFormats], default: "cast", summary: "What to write" }),
    out: Flags.string({ char: "o", summary: "Where to; else standard output", helpValue: "<file>" }),
  };

  /** Streams the recording from the gateway to its new form. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(RecordingsExport);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const sid = await findRecording(admin, args.id);
    const answer = await admin.recording(sid);
    const progress = progressOf(this.output, answer.length);
    let bytes = 0;
    async function* source(): AsyncGenerator<Uint8Array, void, void> {
      for await (const piece of answer.body) {
        progress.show((bytes += piece.length));
        yield piece;
      }
    }
    const format = flags.format as ExportFormat;
    try {
      const summary = flags.out === undefined ? await toStandardOutput(() => exportRecording(source(), format, writeSlowly)) : await toFile(flags.out, (write) => exportRecording(source(), format, write));
      progress.stop();
      if (summary?.complete === false) this.output.stderr.write(`${this.output.style.yellow("!")} the recording is cut off: its end is missing\n`);
    } finally {
      progress.stop();
    }
    if (flags.out !== undefined) this.output.stderr.write(`${this.output.style.green("✔")} ${flags.out}\n`);
  }
}

/** Writes a file whole or not at all. */
async function toFile<T>(path: string, work: (write: (text: string) => Promise<void>) => Promise<T>): Promise<T> {
  const draft = `${path}.${randomHex(systemRandom, 4)}.part`;
  const file = await open(draft, "wx", 0o600).catch((error: unknown) => {
    throw new GatehouseError("bad_parameter", `cannot write ${path}: ${errorMessage(error)}`, { cause: error });
  });
  try {
    const result = await work(async (text) => {
      await file.appendFile(text);
    });
    await file.close();
    await rename(draft, path);
    return result;
  } catch (error) {
    await file.close();
    await rm(draft, { force: true });
    throw error;
  }
}
