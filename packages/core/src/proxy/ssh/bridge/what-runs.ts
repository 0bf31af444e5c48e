import { createScpTap, createSftpTap, parseScpCommand } from "../../../formats/index.ts";
import type { ChannelRequest, FileTap, OnFile, SshSessionKind } from "../../../formats/index.ts";

/** What a session runs, as its request and the person's roles have it. */
export interface WhatRuns {
  readonly kind: SshSessionKind;
  readonly command: readonly string[];
  /** Of a subsystem, what it is called. */
  readonly subsystem?: string | undefined;
  /** Reads the files that pass, where it is a transfer of files. */
  readonly files?: { readonly protocol: "sftp" | "scp"; readonly tap: (onFile: OnFile) => FileTap } | undefined;
}

/** A request that starts something. */
export type StartRequest = Extract<ChannelRequest, { readonly kind: "shell" | "exec" | "subsystem" }>;

const sftp = { protocol: "sftp", tap: createSftpTap } as const;
/** OpenSSH's server of SFTP, where systems have it, named as a command: elsewhere a program of this name is somebody's own, and is watched as one. */
const sftpServer = /^\/usr\/lib(exec)?\/((openssh|ssh|misc)\/)?sftp-server( -[\w ]+)*$/;
/** And as a command that is forced, which sshd knows, and whoever wrote it. */
const forcedSftpServer = /^(internal-sftp|\/[\w./-]*\/sftp-server)( -[\w ]+)*$/;

/**
 * What a request starts. `forced`: the command that a role forces upon every session, whatever is asked for. On a terminal nothing is a transfer: it would
 * change the bytes.
 */
export function whatRuns(request: StartRequest, forced: string | undefined, terminal: boolean): WhatRuns {
  if (forced !== undefined) return { ...command(forced, terminal, forcedSftpServer), ...(request.kind === "subsystem" ? { subsystem: request.name } : {}) };
  switch (request.kind) {
    case "shell":
      return { kind: "shell", command: [] };
    case "exec":
      return command(request.command, terminal, sftpServer);
    case "subsystem":
      return request.name === "sftp" && !terminal
        ? { kind: "sftp", command: ["sftp"], subsystem: "sftp", files: sftp }
        : { kind: "subsystem", command: [request.name], subsystem: request.name };
  }
}

function command(text: string, terminal: boolean, server: RegExp): WhatRuns {
  const exec = { kind: "exec", command: [text] } as const;
  if (terminal) return exec;
  if (server.test(text)) return { ...exec, kind: "sftp", files: sftp };
  const scp = parseScpCommand(text);
  return scp === undefined ? exec : { ...exec, kind: "scp", files: { protocol: "scp", tap: (onFile) => createScpTap(scp, onFile) } };
}
