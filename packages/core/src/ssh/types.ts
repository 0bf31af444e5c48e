import type { KeyObject } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/index.ts";
import type { SshCertificate } from "../formats/index.ts";

/** A key with which a server proves who it is; with a host certificate (its line) clients that know the authority need no known key. */
export interface HostKey {
  /** Ed25519, ECDSA (P-256, P-384, P-521) or RSA. */
  readonly privateKey: KeyObject;
  readonly certificate?: string | undefined;
}

/** What bounds one transport. Times in ms, sizes in bytes. */
export interface TransportLimits {
  /** From the first byte to the end of the first key exchange. */
  readonly handshakeTime: number;
  /** From then to the end of user authentication. */
  readonly authTime: number;
  /** Refused attempts at authentication; `none` and unsigned questions count among them. */
  readonly authAttempts: number;
  /** Bytes that may wait for the peer before `send` says that it is enough. */
  readonly highWater: number;
  /** Bytes that may wait at all: a sender that ignores `highWater` ends the transport. */
  readonly maxWaiting: number;
  /** A new key exchange after so many bytes (either way together), … */
  readonly rekeyBytes: number;
  /** … and after so much time. */
  readonly rekeyTime: number;
  /** Key exchanges that the peer may start within a minute, those not counted that follow at least 256 KiB. */
  readonly rekeysPerMinute: number;
  /** Bytes that the peer may send before it answers a key exchange; that it says nothing at all is no fault. */
  readonly unansweredBytes: number;
}

/** One attempt of a client at user authentication. */
export type AuthAttempt = { readonly user: string } & (
  | { readonly method: "none" }
  | {
      readonly method: "publickey";
      /** Its form alone was checked: hold it against an authority, time, principal and address with `verifySshCertificate`. */
      readonly certificate: SshCertificate;
      /**
       * Whether the client has proven that it holds the key. False is a question whether this certificate is worth a signature: accepting it
       * lets nobody in, and nothing should be done but to decide.
       */
      readonly proven: boolean;
    }
);

/** What becomes of an attempt. */
export type AuthVerdict =
  | { readonly accept: true; readonly banner?: string | undefined }
  /** `end` closes the connection: nothing else that the client may try is any better. */
  | { readonly accept: false; readonly banner?: string | undefined; readonly end?: string | undefined };

/** What both sides of a transport take. */
interface TransportOptions {
  /** TCP, TLS or anything else that carries bytes both ways. The transport owns it and destroys it at its end. */
  readonly socket: Duplex;
  readonly limits?: Partial<TransportLimits> | undefined;
  readonly clock?: Clock | undefined;
  /** Ends the transport (or the attempt to make one). */
  readonly signal?: AbortSignal | undefined;
}

/** How a server is run on one connection. */
export interface ServeOptions extends TransportOptions {
  /** At least one. */
  readonly hostKeys: readonly HostKey[];
  /**
   * Decides about one attempt; called one at a time, within `authTime`. Password, keyboard-interactive, host-based and plain keys are refused
   * before it is asked. What it throws is not told to the client: it gets a general refusal, and `serveTransport` rejects with it.
   */
  readonly authenticate: (attempt: AuthAttempt) => AuthVerdict | Promise<AuthVerdict>;
}

/** How a server has proven itself. */
export interface HostProof {
  /** Wire form of the plain key that signed the key exchange. */
  readonly key: Buffer;
  /** The certificate over that key, if it gave one. Its form alone was checked: hold it against the authority and the name. */
  readonly certificate: SshCertificate | undefined;
}

/** What a client authenticates with. */
export type Credential =
  | { readonly method: "none" }
  | { readonly method: "publickey"; readonly privateKey: KeyObject; /** Its certificate's line. */ readonly certificate?: string | undefined };

/** How a client is run on one connection. */
export interface ConnectOptions extends TransportOptions {
  readonly user: string;
  /** Throws to refuse the host; nothing was said to it about the user before. */
  readonly verifyHost: (proof: HostProof) => void | Promise<void>;
  /** Asked once the host is verified; the credentials are tried in order. */
  readonly credentials: () => readonly Credential[] | Promise<readonly Credential[]>;
  /** `certificate` (default) takes host certificates alone. */
  readonly hostKeys?: "certificate" | "any" | undefined;
  /** Text of the server before or during authentication; at most 8 KiB in all. Outside text: escape it for a terminal. */
  readonly onBanner?: ((text: string) => void) | undefined;
}

/** Reasons of a disconnect (RFC 4253 §11.1) that are in use. */
export const disconnectReason = { protocolError: 2, keyExchangeFailed: 3, hostKeyNotVerifiable: 9, connectionLost: 10, byApplication: 11, tooManyConnections: 12, noMoreAuthMethods: 14 } as const;

/** How a transport ended. */
export type TransportEnd =
  /** The peer said goodbye, with its words (outside text). */
  | { readonly by: "peer"; readonly reason: number; readonly text: string }
  /** `disconnect` or `destroy` of this side. */
  | { readonly by: "us"; readonly reason: number; readonly text: string }
  /** The connection was closed without a word, broke, timed out, or the peer broke the protocol (`error` says so). */
  | { readonly by: "loss"; readonly error: Error | undefined };

/** What is told about a transport. Neither may throw. */
export interface TransportHandlers {
  /**
   * One message of the connection protocol (number 80 and up; answers to the transport's own keepalives excepted), from its number on.
   * The bytes are the receiver's own: they are not written again, and may be kept.
   */
  readonly onPayload: (payload: Buffer) => void;
  /** After `send` returned false: fewer bytes wait than half of `highWater`. */
  readonly onDrain?: (() => void) | undefined;
  /** Once, at the end. No payload follows. */
  readonly onEnd: (end: TransportEnd) => void;
}

/** An SSH connection after user authentication: messages of the connection protocol (RFC 4254) in and out. */
export interface Transport {
  /** The user name of the accepted attempt. */
  readonly user: string;
  /** Software version of the peer's identification, without `SSH-2.0-` (outside text). */
  readonly peerVersion: string;
  /** Exchange hash of the first key exchange. */
  readonly sessionId: Buffer;
  /** The algorithms of the last key exchange, for logs. */
  readonly algorithms: TransportAlgorithms;
  /** Bytes that wait to be taken by the peer. */
  readonly waiting: number;
  /** Begins to deliver. Until then reading stands still. Once. */
  start(handlers: TransportHandlers): void;
  /**
   * Sends one message, at most 256 KiB. The bytes may be changed afterwards. Returns false when more than `highWater` bytes wait: then stop reading
   * at the source (`pause`) until `onDrain`. A keepalive's and others' global requests keep their order. Does nothing after the end.
   */
  send(payload: Uint8Array): boolean;
  /** Stops reading from the peer: no message is delivered after the one that is being handled, until `resume`. Not counted. */
  pause(): void;
  resume(): void;
  /** Asks the peer for a sign of life (`keepalive@openssh.com`); resolves when it answers, rejects `unavailable` at the end. */
  ping(): Promise<void>;
  /** Starts a key exchange; nothing while one is going on. */
  rekey(): void;
  /** Tells the peer why, and closes once that is written, or after 5 s. */
  disconnect(reason: number, text: string): void;
  /** Closes without a word. */
  destroy(): void;
}

/** Names as in RFC 4253; the MAC is `implicit` for AEAD ciphers. */
export interface TransportAlgorithms {
  readonly kex: string;
  readonly hostKey: string;
  readonly cipherIn: string;
  readonly cipherOut: string;
  readonly macIn: string;
  readonly macOut: string;
  readonly strictKex: boolean;
}
