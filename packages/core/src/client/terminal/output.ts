import type { Environment } from "../lean/index.ts";

/** Where text goes; Node's standard streams fit it. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Colours; an instance of chalk fits it. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const same = (text: string): string => text;

/** No colour at all. */
export const plainStyle: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** A command's way to speak: data on `stdout`, everything else on `stderr`. */
export interface Output {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** For `stderr`. */
  readonly style: Style;
  /** Whether spinners may move on `stderr`. */
  readonly animated: boolean;
}

/** Whether a stream takes colours: a terminal that is not `dumb`, and no `NO_COLOR` (no-color.org). */
export function takesColor(stream: TextSink, env: Environment): boolean {
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** An output over the process's streams; `style` is used where `stderr` takes colours. */
export function createOutput(options: { readonly stdout: TextSink; readonly stderr: TextSink; readonly env: Environment; readonly style: Style }): Output {
  const color = takesColor(options.stderr, options.env);
  return { stdout: options.stdout, stderr: options.stderr, style: color ? options.style : plainStyle, animated: color };
}
