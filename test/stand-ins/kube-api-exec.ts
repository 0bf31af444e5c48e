import type { WebSocket } from "ws";

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** What one command line did. */
interface Result {
  readonly output: string;
  readonly errors: string;
  readonly code: number;
  /** The shell itself ended. */
  readonly ended: boolean;
}

function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

function runWords(argv: readonly string[]): Result {
  const [command = "", ...rest] = argv;
  const done = (output: string, errors = "", code = 0): Result => ({ output, errors, code, ended: false });
  switch (command) {
    case "":
    case "true":
      return done("");
    case "false":
      return done("", "", 1);
    case "echo":
      return rest.at(-1) === ">&2" ? done("", `${rest.slice(0, -1).join(" ")}\n`) : done(`${rest.join(" ")}\n`);
    case "hostname":
      return done("shell\n");
    case "pwd":
      return done("/\n");
    case "exit":
      return { output: "", errors: "", code: Number(rest[0] ?? 0) & 0xff, ended: true };
    default:
      return done("", `sh: ${command}: not found (this stand-in knows echo, hostname, pwd, true, false, exit, cat, sh)\n`, 127);
  }
}

/** Runs `a; b && c`, quotes understood inside each. */
function runLine(line: string): Result {
  let result: Result = { output: "", errors: "", code: 0, ended: false };
  for (const [, operator, part] of line.matchAll(/(^|;|&&)((?:"[^"]*"|'[^']*'|[^;&"']|&(?!&))*)/g)) {
    if (result.ended || (operator === "&&" && result.code !== 0)) continue;
    const next = runWords(words(part ?? ""));
    result = { ...next, output: result.output + next.output, errors: result.errors + next.errors };
  }
  return result;
}

function exitStatus(code: number): string {
  if (code === 0) return JSON.stringify({ metadata: {}, status: "Success" });
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${String(code)}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  });
}

/** Serves `exec` on an accepted WebSocket of the subprotocols `v4.channel.k8s.io` and `v5.channel.k8s.io`. */
export function serveExec(socket: WebSocket, command: readonly string[], tty: boolean): void {
  const newline = tty ? "\r\n" : "\n";
  const write = (to: number, text: string): void => {
    if (text !== "") socket.send(Buffer.concat([Buffer.from([to]), Buffer.from(tty ? text.replace(/\r?\n/g, newline) : text)]));
  };
  const finish = (code: number): void => {
    write(channel.error, exitStatus(code));
    socket.close(1000);
  };
  const show = (result: Result): void => {
    write(channel.stdout, result.output);
    write(tty ? channel.stdout : channel.stderr, result.errors);
  };
  const stdin = (onData: (bytes: Buffer) => void, onEnd: () => void): void => {
    socket.on("message", (data: Buffer, binary) => {
      if (!binary || data.length === 0) return;
      if (data[0] === channel.stdin) onData(data.subarray(1));
      else if (data[0] === channel.close && data[1] === channel.stdin) onEnd();
    });
  };

  const [program = "", flag, script = ""] = command;
  if (program === "cat" && command.length === 1) {
    stdin((bytes) => socket.send(Buffer.concat([Buffer.from([channel.stdout]), bytes])), () => finish(0));
    return;
  }
  if (!/^(?:\/bin\/)?(?:sh|bash)$/.test(program) || flag === "-c") {
    const result = flag === "-c" ? runLine(script) : runWords(command);
    show(result);
    finish(result.code);
    return;
  }
  const prompt = tty ? "/ # " : "";
  let line = "";
  let last = 0;
  write(channel.stdout, prompt);
  stdin(
    (bytes) => {
      for (const char of bytes.toString("utf8")) {
        if (socket.readyState !== socket.OPEN) return;
        if (char === "\u0004" && line === "") return finish(last);
        if (char === "\u007f") {
          if (line !== "") write(channel.stdout, "\b \b");
          line = line.slice(0, -1);
        } else if (char === "\r" || char === "\n") {
          if (tty) write(channel.stdout, "\n");
          const result = runLine(line);
          line = "";
          last = result.code;
          show(result);
          if (result.ended) return finish(result.code);
          write(channel.stdout, prompt);
        } else if (char >= " " && line.length < 4096) {
          line += char;
          if (tty) write(channel.stdout, char);
        }
      }
    },
    () => finish(last),
  );
}
