import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A security key in software: what a browser with one would send back (WebAuthn 3 §6, attestation `none`). */
export interface SoftKey {
  readonly credentialId: string;
  /** What the key counts its answers by; tests set it. */
  counter: number;
  register(challenge: string, more?: Partial<SoftKeyPlace>): unknown;
  answer(challenge: string, more?: Partial<SoftKeyPlace>): unknown;
}

/** The page that the key is asked by. */
export interface SoftKeyPlace {
  readonly origin: string;
  readonly rpId: string;
}

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const sha256 = (data: Uint8Array | string): Buffer => createHash("sha256").update(data).digest();

/** CBOR byte string of less than 64 KiB (RFC 8949 §3.1). */
function cborBytes(bytes: Uint8Array): Buffer {
  const head = bytes.length < 24 ? Buffer.of(0x40 + bytes.length) : bytes.length < 256 ? Buffer.of(0x58, bytes.length) : Buffer.of(0x59, bytes.length >> 8, bytes.length & 255);
  return Buffer.concat([head, bytes]);
}
const cborText = (text: string): Buffer => Buffer.concat([Buffer.of(0x60 + text.length), Buffer.from(text)]);

function counterBytes(counter: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(counter);
  return bytes;
}

export function softKey(place: SoftKeyPlace): SoftKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = publicKey.export({ format: "jwk" });
  const coordinate = (value: string | undefined): Buffer => cborBytes(Buffer.from(value ?? "", "base64url"));
  const cose = Buffer.concat([Buffer.of(0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21), coordinate(jwk.x), Buffer.of(0x22), coordinate(jwk.y)]);
  const id = randomBytes(32);
  const clientData = (type: string, challenge: string, origin: string): Buffer => Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  const common = { id: b64(id), rawId: b64(id), type: "public-key", clientExtensionResults: {} };
  const key: SoftKey = {
    credentialId: b64(id),
    counter: 1,
    register(challenge, more = {}) {
      const { origin, rpId } = { ...place, ...more };
      const authData = Buffer.concat([sha256(rpId), Buffer.of(0x41), counterBytes(key.counter), Buffer.alloc(16), Buffer.of(0, id.length), id, cose]);
      const attestation = Buffer.concat([Buffer.of(0xa3), cborText("fmt"), cborText("none"), cborText("attStmt"), Buffer.of(0xa0), cborText("authData"), cborBytes(authData)]);
      return { ...common, response: { clientDataJSON: b64(clientData("webauthn.create", challenge, origin)), attestationObject: b64(attestation), transports: ["usb"] } };
    },
    answer(challenge, more = {}) {
      const { origin, rpId } = { ...place, ...more };
      key.counter += 1;
      const authData = Buffer.concat([sha256(rpId), Buffer.of(0x01), counterBytes(key.counter)]);
      const data = clientData("webauthn.get", challenge, origin);
      const signature = sign("sha256", Buffer.concat([authData, sha256(data)]), privateKey);
      return { ...common, response: { clientDataJSON: b64(data), authenticatorData: b64(authData), signature: b64(signature) } };
    },
  };
  return key;
}
