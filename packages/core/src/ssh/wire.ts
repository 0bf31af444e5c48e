import Protocol, { type Negotiated } from "ssh2/lib/protocol/Protocol.js";
import { errorMessage, GatehouseError } from "../base/index.ts";
import { clientOffers, isGcm, keyExchanges, serverSignatureAlgorithms } from "./algorithms.ts";
import { readProposal } from "./client-proposal.ts";
import { GcmCipher, GcmDecipher, type Ssh2GcmCipher, type Ssh2GcmDecipher } from "./gcm.ts";
import type { PreparedHostKeys } from "./host-keys.ts";
import { message, newMessage, readMessage } from "./message.ts";
import type { TransportAlgorithms } from "./types.ts";

/** Packets of an authenticated peer, as OpenSSH bounds them; before that, what RFC 4253 §6.1 asks for. */
export const maxPacket = 256 * 1024;
const maxPacketBeforeAuth = 35_000;
const maxText = 1024;
/** How long the first bytes of a client are looked into before it is offered everything, ms. */
const proposalTime = 1000;
/** What may come before a peer answers a key exchange while nobody takes it, bytes; each message is counted as so many more. */
const maxKept = 16 * 1024 * 1024;
const keptOverhead = 256;

/** What happens on the wire. */
export interface WireEvents {
  /** Encrypted bytes for the peer, in order. */
  readonly write: (bytes: Uint8Array) => void;
  /** A message that is neither the key exchange's nor one of those that mean nothing. */
  readonly payload: (payload: Buffer) => void;
  /** A key exchange is done. */
  readonly keys: (algorithms: TransportAlgorithms) => void;
  /** The peer has begun its part of one; `asked`: it was this side that asked for it. */
  readonly exchange: (asked: boolean) => void;
  readonly disconnected: (reason: number, text: string) => void;
  /** Nothing more comes in or goes out. */
  readonly failed: (error: Error) => void;
}

/** One side of a connection. */
export type WireRole =
  | { readonly hostKeys: PreparedHostKeys }
  /** `verify` is told the key blob of the first key exchange; the exchange goes on when it calls back. */
  | { readonly accept: keyof typeof clientOffers; readonly verify: (blob: Buffer, accepted: () => void) => void };

const ident = "Gatehouse";

/** ssh2's protocol machine, used for identification, key exchange and packets alone: messages go in and out as they are. */
export class Wire {
  readonly #protocol: Protocol;
  readonly #events: WireEvents;
  readonly #server: boolean;
  #peerVersion = "";
  #held = false;
  #receiving = false;
  #closed = false;
  #rest: Buffer | undefined;
  /** Messages that came while held, in the middle of a key exchange. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** The first key exchange is done. */
  #keyed = false;
  #gcmOffer: PreparedHostKeys["offers"]["gcm"] | undefined;
  #hostKey: Buffer | undefined;
  /** Of a client that may take AES-GCM: what it has sent so far, and what ends the wait. */
  #early: { bytes: Buffer; timer: NodeJS.Timeout | undefined } | undefined;
  #queue: Buffer[] = [];
  #queued = 0;

  constructor(role: WireRole, events: WireEvents) {
    this.#events = events;
    this.#server = "hostKeys" in role;
    const config = {
      ident,
      keyExchanges,
      maxPacketSize: maxPacketBeforeAuth,
      onWrite: events.write,
      onError: (error: Error) => {
        this.#fail(broken(error));
      },
      onHeader: (header: { readonly versions: { readonly software: string } }) => {
        this.#peerVersion = header.versions.software;
      },
      onHandshakeComplete: (negotiated: Negotiated) => this.#onKeys(negotiated),
    };
    this.#protocol =
      "hostKeys" in role
        ? new Protocol({ ...config, server: true, hostKeys: role.hostKeys.keys, offer: role.hostKeys.offers.any, serverSigAlgs: serverSignatureAlgorithms })
        : new Protocol({ ...config, server: false, offer: clientOffers[role.accept], hostVerifier: (blob, verify) => this.#verify(role.verify, blob, verify) });
    if ("hostKeys" in role) {
      this.#gcmOffer = role.hostKeys.offers.gcm;
      this.#early = { bytes: Buffer.alloc(0), timer: undefined };
    }
    const handle = this.#protocol._onPayload;
    // False makes the parser come back after every packet, so that reading can stand still between two of them.
    this.#protocol._onPayload = (payload) => {
      this.#onPayload(payload, handle);
      return false;
    };
  }

  /** Software version of the peer's identification; empty before it came. */
  get peerVersion(): string {
    return this.#peerVersion;
  }

  /** Exchange hash of the first key exchange. Throws `internal` before it. */
  get sessionId(): Buffer {
    const id = this.#protocol._kex?.sessionID;
    if (!id) throw new GatehouseError("internal", "the SSH session has no id before its first key exchange");
    return id;
  }

  /** Bytes of messages that wait for the end of a key exchange. */
  get queued(): number {
    return this.#queued;
  }

  get rekeying(): boolean {
    return this.#protocol._kexinit !== undefined;
  }

  /**
   * Nothing is to be read from the peer now. A key exchange reads on while held: two connections that wait for each other's room would else wait forever, once
   * each has its room full of what may only go out with the new keys.
   */
  get stopped(): boolean {
    return this.#held && !(this.#keyed && this.rekeying && this.#keptBytes < maxKept);
  }

  /** Sends the identification. */
  start(): void {
    this.#protocol.start?.();
  }

  /** Takes packets as large as an authenticated peer may send. */
  allowLargePackets(): void {
    this.#protocol._maxPacketSize = maxPacket;
    if (this.#protocol._decipher) this.#protocol._decipher._maxPacketSize = maxPacket;
  }

  /** Takes bytes from the peer; what comes while held waits. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#early) {
      this.#early.bytes = Buffer.concat([this.#early.bytes, chunk]);
      this.#early.timer ??= setTimeout(() => this.#begin(undefined), proposalTime);
      const proposal = readProposal(this.#early.bytes);
      if (proposal !== "more") this.#begin(proposal);
      return;
    }
    this.#rest = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#goOn();
  }

  /** Hands on what was kept, and parses what waits. */
  #goOn(): void {
    if (this.#receiving) return;
    this.#receiving = true;
    try {
      this.#handOn();
      while (this.#rest && !this.stopped) {
        const rest = this.#rest;
        this.#rest = undefined;
        this.#parse(rest);
      }
    } catch (error) {
      this.#fail(broken(error));
    } finally {
      this.#receiving = false;
    }
  }

  /** Begins to parse: what the server offers is settled. */
  #begin(proposal: { readonly gcm: boolean } | undefined): void {
    const early = this.#early;
    if (!early) return;
    clearTimeout(early.timer);
    this.#early = undefined;
    if (proposal?.gcm === true && this.#gcmOffer) this.#protocol._offer = this.#gcmOffer;
    if (early.bytes.length > 0) this.receive(early.bytes);
  }

  /** Hands on no message after the one that is being handled, until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#goOn();
  }

  /** Sends one message, or keeps a copy until the key exchange that is going on ends. */
  send(payload: Uint8Array): void {
    if (this.#closed) return;
    if (this.rekeying) {
      this.#queue.push(Buffer.from(payload));
      this.#queued += payload.length;
      return;
    }
    this.#encrypt(payload);
  }

  rekey(): void {
    if (this.#closed || this.rekeying) return;
    this.#protocol.rekey();
    this.#goOn();
  }

  /** Sends a disconnect, even in the middle of a key exchange. Nothing may follow it. */
  disconnect(reason: number, text: string): void {
    if (this.#closed) return;
    this.#encrypt(newMessage(message.disconnect).uint32(reason).string(text.slice(0, maxText)).string("").toBuffer());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#early?.timer);
    this.#early = undefined;
    this.#rest = undefined;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#queue = [];
    this.#queued = 0;
    this.#protocol.cleanup();
  }

  #parse(chunk: Buffer): void {
    let at = 0;
    while (!this.#closed && at < chunk.length) {
      if (this.stopped) {
        this.#rest = chunk.subarray(at);
        return;
      }
      at = this.#protocol._parse(chunk, at, chunk.length) ?? chunk.length;
      if (this.#kept.length > 0) this.#handOn();
    }
  }

  #handOn(): void {
    let handed = 0;
    for (const payload of this.#kept) {
      if (this.#held || this.#closed) break;
      handed++;
      this.#keptBytes -= payload.length + keptOverhead;
      this.#dispatch(payload);
    }
    this.#kept = this.#kept.slice(handed);
  }

  #encrypt(payload: Uint8Array): void {
    const cipher = this.#protocol._cipher;
    if (cipher instanceof GcmCipher) {
      cipher.seal(payload);
      return;
    }
    const packet = cipher.allocPacket(payload.length);
    packet.set(payload, 5);
    cipher.encrypt(packet);
  }

  #onPayload(payload: Buffer, handle: (payload: Buffer) => unknown): void {
    switch (payload[0]) {
      case undefined:
      case message.ignore:
      case message.unimplemented:
      case message.debug:
        return;
      case message.kexInit:
        this.#events.exchange(this.rekeying);
        if (!this.#closed) handle(payload);
        return;
      default:
        if (payload[0] > message.kexInit && payload[0] < message.userauthRequest) throw new GatehouseError("bad_parameter", "the SSH peer sent a message of the key exchange out of turn");
        if (!this.#held && this.#kept.length === 0) {
          this.#dispatch(payload);
          return;
        }
        this.#kept.push(payload);
        this.#keptBytes += payload.length + keptOverhead;
    }
  }

  #dispatch(payload: Buffer): void {
    if (payload[0] !== message.disconnect) {
      this.#events.payload(payload);
      return;
    }
    const reader = readMessage(payload, "the SSH disconnect");
    this.#events.disconnected(reader.uint32(), reader.string().toString("utf8", 0, maxText));
  }

  /** Tells the peer that the message that is being handled means nothing here. */
  unimplemented(): void {
    const sequence = ((this.#protocol._decipher?.inSeqno ?? 1) - 1) >>> 0;
    this.send(newMessage(message.unimplemented).uint32(sequence).toBuffer());
  }

  #verify(verify: (blob: Buffer, accepted: () => void) => void, blob: Buffer, accept: (accepted: boolean) => void): boolean | undefined {
    if (this.#hostKey) return this.#hostKey.equals(blob);
    this.#hostKey = Buffer.from(blob);
    this.hold();
    verify(this.#hostKey, () => {
      if (this.#closed) return;
      try {
        accept(true);
      } catch (error) {
        this.#fail(broken(error));
        return;
      }
      this.release();
    });
    return undefined;
  }

  #onKeys(negotiated: Negotiated): void {
    const [incoming, outgoing] = this.#server ? [negotiated.cs, negotiated.sc] : [negotiated.sc, negotiated.cs];
    if (isGcm(outgoing.cipher)) this.#protocol._cipher = new GcmCipher(this.#protocol._cipher as unknown as Ssh2GcmCipher);
    if (isGcm(incoming.cipher)) this.#protocol._decipher = new GcmDecipher(this.#protocol._decipher as unknown as Ssh2GcmDecipher);
    this.#keyed = true;
    const waiting = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    this.#events.keys({
      kex: negotiated.kex,
      hostKey: negotiated.serverHostKey,
      cipherIn: incoming.cipher,
      cipherOut: outgoing.cipher,
      macIn: incoming.mac === "" ? "implicit" : incoming.mac,
      macOut: outgoing.mac === "" ? "implicit" : outgoing.mac,
      strictKex: this.#protocol._strictMode === true,
    });
    for (const payload of waiting) this.send(payload);
  }

  #fail(error: Error): void {
    if (!this.#closed) this.#events.failed(error);
  }
}

function broken(error: unknown): GatehouseError {
  if (error instanceof GatehouseError) return error;
  return new GatehouseError("bad_parameter", `the SSH peer broke the protocol: ${errorMessage(error)}`, { cause: error });
}
