/**
 * What was done to a file, as seen in the bytes of SFTP or scp. Paths are as the client named them (outside text), relative ones from the
 * directory where the host starts.
 */
export interface FileEvent {
  readonly action: "upload" | "download" | "rename" | "remove" | "mkdir" | "rmdir" | "setstat" | "symlink" | "link";
  readonly path: string;
  /** Of `rename`, `symlink` and `link`: the new name, and what the link points to. */
  readonly target?: string | undefined;
  /** Of `setstat`: what was changed, in words (`mode 0644, size 0`). */
  readonly detail?: string | undefined;
  readonly ok: boolean;
  /** Why it failed, in the host's words or numbers (outside text). */
  readonly error?: string | undefined;
  /** Of `upload` and `download`: bytes of content that passed. */
  readonly bytes?: number | undefined;
  /** Hex SHA-256 of the whole content, where it passed once, from its first byte to its last. */
  readonly sha256?: string | undefined;
  /** Why there is no digest. */
  readonly undigested?: string | undefined;
}

/** Looks on at a stream that carries files. Bytes may come cut anywhere, and are not kept. */
export interface FileTap {
  /** What the person's side sent. */
  fromClient(bytes: Uint8Array): void;
  /** What the host sent on its standard output. */
  fromHost(bytes: Uint8Array): void;
  /** The stream is over: tells what was under way. */
  end(): void;
  /** What is wrong with the stream, once something is: nothing is read any more. */
  readonly problem: string | undefined;
}

/** Told about every file once it is known what became of it. */
export type OnFile = (event: FileEvent) => void;
