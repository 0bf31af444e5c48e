import { fileEvent } from "../../../audit/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import { escapeLine } from "../../../base/index.ts";
import type { FileEvent, FileTap, SshSession } from "../../../formats/index.ts";
import type { CommandSession } from "../../sessions/index.ts";
import type { Side } from "./channel.ts";
import type { WhatRuns } from "./what-runs.ts";

/** Characters of a path or a cause that are kept. */
const maxText = 4096;

const clip = (text: string): string => text.slice(0, maxText);

/** Tells the log and the recording which files pass through a session. Their content is in neither: its digest is. */
export class FileWatch {
  readonly #tap: FileTap;

  /** `unwritten`: an event could not be written. */
  constructor(files: NonNullable<WhatRuns["files"]>, session: CommandSession, port: { audit(events: readonly AuditEventInput[], done: (written: boolean) => void): void }, unwritten: () => void) {
    this.#tap = files.tap((event) => {
      session.mark("file", describe(event));
      const { action, path, target, bytes, sha256, error, undigested, detail } = event;
      const told = { protocol: files.protocol, action, path: clip(path), target: target && clip(target), size: bytes, sha256, error: error && clip(error), undigested, detail: detail && clip(detail) };
      port.audit([fileEvent(session.session as SshSession, told)], (written) => {
        if (!written) unwritten();
      });
    });
  }

  /** Bytes that pass. Returns what is wrong with them, if something is. */
  take(from: Side, bytes: Buffer): string | undefined {
    if (from === "client") this.#tap.fromClient(bytes);
    else this.#tap.fromHost(bytes);
    return this.#tap.problem;
  }

  end(): void {
    this.#tap.end();
  }
}

/** One line for people. */
export function describe({ action, path, target, detail, ok, error, bytes, sha256, undigested }: FileEvent): string {
  const facts = [
    ...(bytes === undefined ? [] : [`${String(bytes)} bytes`]),
    ...(sha256 === undefined ? [] : [`sha256 ${sha256}`]),
    ...(undigested === undefined ? [] : [`no digest: ${undigested}`]),
  ];
  const words = [action, clip(path), ...(target === undefined ? [] : ["→", clip(target)]), ...(detail === undefined ? [] : [`(${clip(detail)})`]), ...(facts.length === 0 ? [] : [`(${facts.join(", ")})`])];
  return escapeLine(`${words.join(" ")}${ok ? "" : ` failed: ${clip(error ?? "")}`}`).slice(0, 16_000);
}
