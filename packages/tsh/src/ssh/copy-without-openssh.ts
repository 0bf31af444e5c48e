import { GatehouseError, errorMessage, escapeLine, systemClock } from "@gatehouse/core/base";
import { openFiles, openOwnConnection, type CopyOptions, type HostFiles, type OwnConnection } from "@gatehouse/core/client/own-ssh";
import type { ChosenHost } from "@gatehouse/core/client/ssh";
import type { Output } from "@gatehouse/core/client/terminal";
import type { CopyPlace } from "./copies.ts";
import type { HostSession } from "./hosts.ts";

/** What a copy without OpenSSH is made with. */
export interface OwnCopy {
  readonly hosts: HostSession;
  readonly places: readonly CopyPlace[];
  readonly flags: { readonly recursive: boolean; readonly preserve: boolean; readonly quiet: boolean };
  readonly output: Output;
}

const units = ["B", "KB", "MB", "GB", "TB"];

/** `12.3 MB`. */
function size(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${power === 0 ? String(bytes) : (bytes / 1000 ** power).toFixed(1)} ${units[power] ?? ""}`;
}

/** One line for each file, rewritten as it goes on; nothing where nobody watches. */
export function copyProgress({ stderr, animated }: Output, quiet: boolean): CopyOptions["progress"] & ((file: string, done: number, total: number) => void) {
  let shown = 0;
  let began = 0;
  return (file, done, total) => {
    if (quiet || !animated) return;
    const now = performance.now();
    if (done === 0) began = now;
    if (done > 0 && done < total && now - shown < 100) return;
    shown = now;
    const seconds = (now - began) / 1000;
    const speed = seconds > 0.05 ? `  ${size(done / seconds)}/s` : "";
    const left = seconds > 1 && done < total ? `  ${Math.ceil(((total - done) * seconds) / Math.max(1, done))} s left` : "";
    const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
    stderr.write(`\r\x1b[2K${escapeLine(file)}  ${String(percent).padStart(3)} %  ${size(done)}${speed}${left}${done >= total ? "\n" : ""}`);
  };
}

/** Opens a host's files, once for each host. */
export class OpenHosts {
  readonly #hosts: HostSession;
  readonly #open = new Map<ChosenHost, { readonly connection: OwnConnection; readonly files: HostFiles }>();

  constructor(hosts: HostSession) {
    this.#hosts = hosts;
  }

  async files(host: ChosenHost): Promise<HostFiles> {
    const known = this.#open.get(host);
    if (known) return known.files;
    const connection = await openOwnConnection(this.#hosts.session.record, host, { now: systemClock.now(), onBanner: (text) => void process.stderr.write(text) });
    try {
      const files = await openFiles(connection);
      this.#open.set(host, { connection, files });
      return files;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  close(): void {
    for (const { connection } of this.#open.values()) connection.close();
  }
}

/** Copies every place but the last to the last. Resolves with 0, or with 1 where one of them failed. */
export async function copyWithoutOpenSsh({ hosts, places, flags, output }: OwnCopy): Promise<number> {
  const target = places.at(-1);
  const sources = places.slice(0, -1);
  if (target === undefined) throw new GatehouseError("usage", "nowhere to copy to");
  const options: CopyOptions = { ...flags, progress: copyProgress(output, flags.quiet) };
  const open = new OpenHosts(hosts);
  let failed = 0;
  try {
    if (sources.length > 1) await mustBeFolder(open, target);
    for (const source of sources) {
      try {
        if (source.host && target.host) throw new GatehouseError("not_implemented", "a copy from host to host needs OpenSSH", { hint: "copy it here first" });
        if (source.host) await (await open.files(source.host)).get(source.path === "" ? "." : source.path, target.path, options);
        else if (target.host) await (await open.files(target.host)).put(source.path, target.path === "" ? "." : target.path, options);
        else throw new GatehouseError("usage", "neither of these places is on a host");
      } catch (error) {
        // The other copies may work; a gateway or host that cannot be reached is the same for all.
        if (sources.length === 1 || (error instanceof GatehouseError && ["unauthenticated", "access_denied", "unavailable"].includes(error.code))) throw error;
        failed++;
        output.stderr.write(`${output.style.red("✖")} ${escapeLine(errorMessage(error))}\n`);
      }
    }
  } finally {
    open.close();
  }
  return failed === 0 ? 0 : 1;
}

async function mustBeFolder(open: OpenHosts, target: CopyPlace): Promise<void> {
  if (!target.host) return;
  const there = await (await open.files(target.host)).stat(target.path === "" ? "." : target.path);
  if (there?.isDirectory() !== true) throw new GatehouseError("not_found", `${target.path} is no folder on ${target.host.shown}`);
}
