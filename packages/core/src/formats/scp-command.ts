/** What a command does that is scp's on the host. */
export interface ScpCommand {
  /** Where files go: to the host (`-t`) or from it (`-f`). */
  readonly action: "upload" | "download";
  /** As the client named it. */
  readonly path: string;
  /** It says of its target that it is a directory (`-d`). */
  readonly directory: boolean;
}

/** What makes of a command more than a program with arguments. */
const special = /[;&|<>()$`{}!#\r\n\0]/;

/**
 * Reads a command that runs legacy scp on a host (`scp -r -t /srv`). Undefined for any other, and for one that a shell would make more of: that is
 * watched as a command, not as a transfer.
 */
export function parseScpCommand(command: string): ScpCommand | undefined {
  const words = splitWords(command);
  const [program, ...rest] = words ?? [];
  if (program === undefined || !/^(\/(usr\/(local\/)?)?bin\/)?scp$/.test(program)) return undefined;
  let flags = "";
  let at = 0;
  for (; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (word === "--") {
      at += 1;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    if (!/^-[tfrpdvq]+$/.test(word)) return undefined;
    flags += word.slice(1);
  }
  const upload = flags.includes("t");
  const [path, more] = rest.slice(at);
  if (path === undefined || more !== undefined || upload === flags.includes("f")) return undefined;
  return { action: upload ? "upload" : "download", path, directory: flags.includes("d") };
}

/** Words as a shell cuts them; undefined where it would do more than that. */
function splitWords(command: string): string[] | undefined {
  const words: string[] = [];
  const pattern = /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^ \t'"\\]+)|[ \t]+/gy;
  let word: string | undefined;
  let end = 0;
  for (let match = pattern.exec(command); match !== null; match = pattern.exec(command)) {
    end = pattern.lastIndex;
    const [all, single, double, escaped, plain] = match;
    const text = single ?? double?.replace(/\\(["\\])/g, "$1") ?? escaped ?? plain;
    // What a shell makes more of is safe between single quotes alone.
    if (single === undefined && special.test(all)) return undefined;
    if (text !== undefined) word = (word ?? "") + text;
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (end < command.length) return undefined;
  return word === undefined ? words : [...words, word];
}
