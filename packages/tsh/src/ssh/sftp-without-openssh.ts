import { open as openFile } from "node:fs/promises";
import { chdir, cwd } from "node:process";
import { posix } from "node:path";
import { createInterface } from "node:readline";
import { GatehouseError, errorMessage, escapeLine, fileProblem, systemErrorCode, toGatehouseError } from "@gatehouse/core/base";
import type { CopyOptions, HostFiles } from "@gatehouse/core/client/own-ssh";
import type { ChosenHost } from "@gatehouse/core/client/ssh";
import type { Output } from "@gatehouse/core/client/terminal";
import { OpenHosts, copyProgress } from "./copy-without-openssh.ts";
import type { HostSession } from "./hosts.ts";

/** What an SFTP session without OpenSSH is made with. */
export interface OwnSftp {
  readonly hosts: HostSession;
  readonly host: ChosenHost;
  readonly path: string;
  /** Where to copy to, where the path is a file's. */
  readonly target: string | undefined;
  readonly flags: { readonly recursive: boolean; readonly preserve: boolean; readonly quiet: boolean; readonly batch?: string | undefined };
  readonly output: Output;
}

const help = `ls [folder]             what is in a folder of the host
cd folder, pwd          another folder of the host, and which it is
lcd folder, lpwd        the same here
get [-r] [-p] path [here]    copies from the host
put [-r] [-p] here [path]    copies to the host
mkdir, rmdir, rm path   folders and files of the host
rename from to
bye                     ends
`;

/** Words of a line; quotes hold one together. */
const wordsOf = (line: string): readonly string[] => (line.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double: string | undefined, single: string | undefined) => double ?? single ?? ""));

class SftpSession {
  readonly #files: HostFiles;
  readonly #options: CopyOptions;
  readonly #output: Output;
  #folder: string;

  constructor(files: HostFiles, folder: string, options: CopyOptions, output: Output) {
    this.#files = files;
    this.#folder = folder;
    this.#options = options;
    this.#output = output;
  }

  #at(path: string | undefined): string {
    if (path === undefined) throw new GatehouseError("usage", "it needs a path", { hint: "help shows how" });
    return posix.resolve(this.#folder, path);
  }

  /** Runs one line; false ends the session. */
  async run(line: string): Promise<boolean> {
    const [verb = "", ...all] = wordsOf(line);
    const letters = all.filter((word) => /^-[rpR]+$/.test(word)).join("");
    const args = all.filter((word) => !/^-[rpR]+$/.test(word));
    const options = { ...this.#options, recursive: this.#options.recursive || /r/i.test(letters), preserve: this.#options.preserve || letters.includes("p") };
    const print = (text: string): void => void this.#output.stdout.write(`${text}\n`);
    switch (verb) {
      case "":
        return true;
      case "bye":
      case "exit":
      case "quit":
        return false;
      case "help":
      case "?":
        this.#output.stdout.write(help);
        return true;
      case "pwd":
        print(escapeLine(this.#folder));
        return true;
      case "lpwd":
        print(cwd());
        return true;
      case "lcd":
        chdir(args[0] ?? "");
        return true;
      case "cd": {
        const folder = this.#at(args[0]);
        if ((await this.#files.stat(folder))?.isDirectory() !== true) throw new GatehouseError("not_found", `${folder} is no folder`);
        this.#folder = folder;
        return true;
      }
      case "ls": {
        const entries = await this.#files.list(args[0] === undefined ? this.#folder : this.#at(args[0]));
        for (const { line: long } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) print(escapeLine(long));
        return true;
      }
      case "get":
        await this.#files.get(this.#at(args[0]), args[1] ?? ".", options);
        return true;
      case "put":
        if (args[0] === undefined) throw new GatehouseError("usage", "it needs a path", { hint: "help shows how" });
        await this.#files.put(args[0], args[1] === undefined ? this.#folder : this.#at(args[1]), options);
        return true;
      case "mkdir":
        await this.#files.makeFolder(this.#at(args[0]));
        return true;
      case "rmdir":
        await this.#files.removeFolder(this.#at(args[0]));
        return true;
      case "rm":
        await this.#files.remove(this.#at(args[0]));
        return true;
      case "rename":
        await this.#files.rename(this.#at(args[0]), this.#at(args[1]));
        return true;
      default:
        throw new GatehouseError("usage", `there is no command "${escapeLine(verb)}"`, { hint: "help lists them" });
    }
  }
}

/** The commands of a batch. Throws `not_found`, or `bad_parameter` where the file cannot be read. */
async function batchFile(path: string): Promise<NodeJS.ReadableStream> {
  try {
    return (await openFile(path)).createReadStream();
  } catch (error) {
    throw new GatehouseError(systemErrorCode(error) === "ENOENT" ? "not_found" : "bad_parameter", `${escapeLine(path)} ${fileProblem(error)}`, { cause: error });
  }
}

/** An SFTP session. Resolves with 0, or with 1 where a command of a batch failed. */
export async function sftpWithoutOpenSsh({ hosts, host, path, target, flags, output }: OwnSftp): Promise<number> {
  const open = new OpenHosts(hosts);
  const options: CopyOptions = { ...flags, progress: copyProgress(output, flags.quiet) };
  try {
    const files = await open.files(host);
    const start = await files.resolve(path === "" ? "." : path);
    const there = await files.stat(start);
    if (there?.isDirectory() !== true) {
      await files.get(start, target ?? ".", options);
      return 0;
    }
    const session = new SftpSession(files, start, options, output);
    const input = flags.batch === undefined || flags.batch === "-" ? process.stdin : await batchFile(flags.batch);
    const asks = flags.batch === undefined && process.stdin.isTTY;
    const lines = createInterface({ input, ...(asks ? { output: process.stderr, prompt: "sftp> " } : {}) });
    if (asks) lines.prompt();
    try {
      for await (const line of lines) {
        try {
          if (line.startsWith("#")) continue;
          if (!(await session.run(line))) break;
        } catch (error) {
          const { hint, code } = toGatehouseError(error);
          output.stderr.write(`${escapeLine(errorMessage(error))}${hint === undefined ? "" : `; ${hint}`}\n`);
          if (flags.batch !== undefined || code === "unavailable") return 1;
        }
        if (asks) lines.prompt();
      }
    } finally {
      lines.close();
    }
    return 0;
  } finally {
    open.close();
  }
}
