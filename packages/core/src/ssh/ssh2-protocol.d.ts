// What is used of ssh2 below its public classes; version and patch are pinned, so that this cannot change unseen.
declare module "ssh2/lib/protocol/Protocol.js" {
  import type { KexInit, KeyExchangeMethod } from "ssh2/lib/protocol/kex.js";

  interface ProtocolHostKey {
    readonly type: string;
    getPublicSSH(): Buffer;
    /** ASN.1 for ECDSA; an Error is returned, not thrown. */
    sign(data: Buffer, hash: string | undefined): Buffer | Error;
  }
  interface NegotiatedSide {
    readonly cipher: string;
    readonly mac: string;
  }
  interface Negotiated {
    readonly kex: string;
    readonly serverHostKey: string;
    readonly cs: NegotiatedSide;
    readonly sc: NegotiatedSide;
  }
  interface ProtocolHeader {
    readonly versions: { readonly protocol: string; readonly software: string };
  }
  interface ProtocolConfig {
    readonly server: boolean;
    readonly hostKeys?: Readonly<Record<string, ProtocolHostKey>>;
    readonly offer: KexInit;
    /** Methods beside ssh2's own, by name. A patch of ours. */
    readonly keyExchanges?: Readonly<Record<string, KeyExchangeMethod>>;
    readonly ident: string;
    readonly serverSigAlgs?: readonly string[];
    readonly maxPacketSize: number;
    readonly onWrite: (data: Uint8Array) => void;
    readonly onError: (error: Error) => void;
    readonly onHeader: (header: ProtocolHeader) => void;
    readonly onHandshakeComplete: (negotiated: Negotiated) => void;
    readonly hostVerifier?: (key: Buffer, verify: (accepted: boolean) => void) => boolean | undefined;
  }
  interface ProtocolCipher {
    readonly outSeqno: number;
    /** A packet whose payload is to be written at byte 5. */
    allocPacket(length: number): Buffer;
    encrypt(packet: Buffer): void;
    free(): void;
  }
  interface ProtocolDecipher {
    readonly inSeqno: number;
    _onPayload: (payload: Buffer) => unknown;
    _maxPacketSize?: number;
    decrypt(data: Buffer, start: number, end: number): number | undefined;
    free(): void;
  }
  class Protocol {
    constructor(config: ProtocolConfig);
    start: (() => void) | undefined;
    cleanup(): void;
    rekey(): void;
    /** Handles what is in `chunk` from `at`, up to a packet whose handler returns false; returns where it stands, undefined at the end. */
    _parse(chunk: Buffer, at: number, length: number): number | undefined;
    _onPayload: (payload: Buffer) => unknown;
    _maxPacketSize: number;
    /** Sent when the peer's identification is parsed. */
    _offer: KexInit;
    readonly _kexinit: Buffer | undefined;
    readonly _strictMode: boolean | undefined;
    readonly _kex: { readonly sessionID: Buffer } | undefined;
    _cipher: ProtocolCipher;
    _decipher: ProtocolDecipher | undefined;
  }
  export type { Negotiated, ProtocolCipher, ProtocolDecipher, ProtocolHostKey };
  export default Protocol;
}

declare module "ssh2/lib/protocol/kex.js" {
  interface Lists {
    readonly cipher: readonly string[];
    readonly mac: readonly string[];
    readonly compress: readonly string[];
    readonly lang: readonly string[];
  }
  interface KexInit {
    /** Bytes in a KEXINIT. */
    readonly totalSize: number;
  }
  /** A key exchange of one message each way; what its functions throw ends the connection. */
  interface KeyExchangeMethod {
    readonly hashName: string;
    /** The client's side: its message, and what makes K of the server's. */
    begin(): { readonly init: Buffer; readonly finish: (reply: Buffer) => Buffer };
    /** The server's side: its message, and K, which is encoded as a string. */
    respond(init: Buffer): { readonly reply: Buffer; readonly secret: Buffer };
  }
  const kex: { readonly KexInit: new (lists: { readonly kex: readonly string[]; readonly serverHostKey: readonly string[]; readonly cs: Lists; readonly sc: Lists }) => KexInit };
  export type { KexInit, KeyExchangeMethod };
  export default kex;
}
