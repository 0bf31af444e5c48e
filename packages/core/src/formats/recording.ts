/**
 * What is recorded of one session, and the limits of its container.
 *
 * The container is a file of chunks: magic `GHR1`, payload length u32, index u32, SHA-256 of (hash of the chunk before ‖ index ‖ payload),
 * payload; numbers are big-endian, the hash before the first chunk is 32 zero bytes. So the last chunk's hash commits to the whole file.
 * A payload is records: type u8, milliseconds since the start u32, length u32, bytes. A record never spans two chunks.
 */
export const recordingFormat = {
  magic: 0x47485231,
  /** Bytes of a chunk before its payload. */
  chunkHeader: 44,
  /** Bytes of a record before its data. */
  recordHeader: 9,
  /** Most bytes of payload in a chunk. */
  maxPayload: 1024 * 1024,
  /** Most bytes of a header, end, gap or marker. */
  maxJson: 64 * 1024,
  /** Latest moment that a record can have, in ms since the start. */
  maxTime: 0xffffffff,
} as const;

/**
 * `h` header (JSON, the first record of a file), `o` stdout, `e` stderr, `i` stdin, `r` resize (u16 columns, u16 rows),
 * `x` end (JSON, the last record), `g` gap (JSON), `m` marker (JSON).
 */
export type RecordingType = "h" | "o" | "e" | "i" | "r" | "x" | "g" | "m";

/** Types whose records are pieces of one stream of bytes: where they are cut has no meaning. */
export type RecordingStreamType = "o" | "e" | "i";

/** One record. `at`: ms since the session started. */
export interface RecordingRecord {
  readonly type: RecordingType;
  readonly at: number;
  readonly data: Buffer;
}

/** What the recorded sessions of both protocols say of themselves. */
interface AnySession {
  /** Session id, a UUID: the file's name. */
  readonly sid: string;
  readonly user: string;
  readonly roles: readonly string[];
  readonly command: readonly string[];
  readonly tty: boolean;
  /** Whether stdin was open. */
  readonly stdin: boolean;
  /** Address of the client. */
  readonly address: string;
  /** The gateway that recorded. */
  readonly server_id: string;
  /** Start of the session, ms since the epoch. */
  readonly started: number;
}

/** An exec or attach in a pod. */
export interface KubeSession extends AnySession {
  /** Absent from older recordings. */
  readonly proto?: "kube" | undefined;
  readonly kind: "exec" | "attach";
  /** User name at Kubernetes that the session was impersonated with; absent from older recordings, where it is `user`. */
  readonly kubernetes_user?: string | undefined;
  /** Kubernetes groups that the session was impersonated with. */
  readonly groups: readonly string[];
  /** Kubernetes cluster. */
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly image?: string | undefined;
}

/** What runs in a session on a host: a login shell, one command, a file transfer, or another subsystem, whose name is the command. */
export const sshSessionKinds = ["shell", "exec", "sftp", "scp", "subsystem"] as const;
export type SshSessionKind = (typeof sshSessionKinds)[number];

/** A session on a host. */
export interface SshSession extends AnySession {
  readonly proto: "ssh";
  /** Of `sftp` and `scp` the recording has markers for files, and not their bytes. */
  readonly kind: SshSessionKind;
  /** User name on the host. */
  readonly login: string;
  readonly node: SessionNode;
}

/** The host of a session. */
export interface SessionNode {
  readonly id: string;
  readonly name: string;
  /** `host:port` at which the gateway reached it. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Who did what where: what Gatehouse adds to an asciicast header. */
export type RecordedSession = KubeSession | SshSession;

/** Where a session runs, whatever its protocol: what does not apply is empty. */
export interface SessionPlace {
  readonly proto: "kube" | "ssh";
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly login: string;
  /** Name of the host. */
  readonly node: string;
  readonly nodeId: string;
}

/** Where a session runs. */
export function sessionPlace(session: RecordedSession): SessionPlace {
  if (session.proto === "ssh") return { proto: "ssh", cluster: "", namespace: "", pod: "", container: "", login: session.login, node: session.node.name, nodeId: session.node.id };
  const { cluster, namespace, pod, container } = session;
  return { proto: "kube", cluster, namespace, pod, container, login: "", node: "", nodeId: "" };
}

/** Header of a recording: that of an asciicast v2 file, and {@link RecordedSession}. */
export interface RecordingHeader {
  readonly version: 2;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Start, s since the epoch. */
  readonly timestamp: number;
  readonly command?: string | undefined;
  readonly title?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly gatehouse: RecordedSession;
}

/** How a session ended. */
export interface RecordingEnd {
  /** In words for people. */
  readonly reason: string;
  readonly exitCode?: number | undefined;
  /** Name of the signal that ended the command, without SIG. */
  readonly signal?: string | undefined;
  /** Everybody who took part, the opener first; told where there are several. */
  readonly participants?: readonly string[] | undefined;
  /** The gateway died during the session; what it had in memory is missing. */
  readonly interrupted?: boolean | undefined;
}

/** Bytes that are missing at this place of a recording. */
export interface RecordingGap {
  readonly bytes: number;
  readonly why: string;
}

/** Something that happened beside the terminal: a file or a port, say. */
export interface RecordingMarker {
  readonly kind: string;
  readonly text: string;
}

/** Size of a terminal. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Where a chain of chunks stands: what the next chunk builds on. */
export interface RecordingChain {
  /** Hash of the last chunk; 32 zero bytes before the first. */
  readonly hash: Buffer;
  /** Index of the next chunk. */
  readonly index: number;
}

/** Whether a type's records are pieces of a stream. */
export function isRecordingStream(type: RecordingType): type is RecordingStreamType {
  return type === "o" || type === "e" || type === "i";
}
