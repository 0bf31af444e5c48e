import { errorMessage, GatehouseError } from "../base/index.ts";
import { parseSshCertificate, publicKeyFromSsh, SshReader, sshPublicKey, sshSign, SshWriter } from "../formats/index.ts";
import { certificateAlgorithm, plainAlgorithm } from "./algorithms.ts";
import { message, newMessage, readMessage } from "./message.ts";
import { Connection } from "./transport.ts";
import { disconnectReason, type ConnectOptions, type Credential, type HostProof, type Transport } from "./types.ts";

const maxBanner = 8 * 1024;

/**
 * Runs the client's side on a fresh connection; resolves once the server has taken a credential. The socket is destroyed on every failure.
 * Rejects with `unauthenticated` (no credential was taken), `limit_exceeded` (time, sizes), `unavailable` (the connection was lost),
 * `bad_parameter` (not SSH, nothing in common, protocol broken), or with what `verifyHost` or `credentials` threw.
 */
export function connectTransport(options: ConnectOptions): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const client: UserAuthClient = new UserAuthClient(options, resolve);
    const verify = (blob: Buffer, accepted: () => void): void => client.verify(blob, accepted);
    client.connection = new Connection({ accept: options.hostKeys ?? "certificate", verify }, options, {
      onKeys: () => client.onKeys(),
      onMessage: (payload) => client.onMessage(payload),
      onFailed: reject,
    });
  });
}

/** The client's half of RFC 4252: credentials in order, each with its signature at once. */
class UserAuthClient {
  connection!: Connection;
  readonly #options: ConnectOptions;
  readonly #established: (transport: Transport) => void;
  #credentials: Promise<readonly Credential[]> | undefined;
  #tried = 0;
  #bannerLeft = maxBanner;

  constructor(options: ConnectOptions, established: (transport: Transport) => void) {
    this.#options = options;
    this.#established = established;
  }

  verify(blob: Buffer, accepted: () => void): void {
    this.#verifyHost(blob).then(accepted, (error: unknown) => this.connection.fail(error as Error, disconnectReason.hostKeyNotVerifiable, "host key not verifiable"));
  }

  onKeys(): void {
    this.connection.sendAuth(newMessage(message.serviceRequest).string("ssh-userauth").toBuffer());
    // Made while the server answers; a failure is looked at when it is needed.
    this.#credentials = Promise.resolve().then(() => this.#options.credentials());
    this.#credentials.catch(() => undefined);
  }

  onMessage(payload: Buffer): void {
    switch (payload[0]) {
      case message.serviceAccept:
      case message.userauthFailure:
        this.#next(payload);
        return;
      case message.userauthSuccess:
        if (this.#tried === 0) throw new GatehouseError("bad_parameter", "the SSH server let in a client that had not asked yet");
        if (this.connection.establish(this.#options.user)) this.#established(this.connection);
        return;
      case message.userauthBanner:
        this.#onBanner(payload);
        return;
      case message.extInfo:
        return;
      default:
        throw new GatehouseError("bad_parameter", `the SSH server sent message ${payload[0] ?? 0} where it has to authenticate the client`);
    }
  }

  async #verifyHost(blob: Buffer): Promise<void> {
    const proof = readProof(blob);
    await this.#options.verifyHost(proof);
  }

  #onBanner(payload: Buffer): void {
    const text = readMessage(payload, "the SSH banner").string();
    if (text.length > this.#bannerLeft) throw new GatehouseError("limit_exceeded", "the SSH server's banners are too long");
    this.#bannerLeft -= text.length;
    this.#options.onBanner?.(text.toString());
  }

  #next(payload: Buffer): void {
    const first = payload[0] === message.serviceAccept;
    if (first !== (this.#tried === 0)) throw new GatehouseError("bad_parameter", "the SSH server answers what was not asked");
    this.connection.hold("auth");
    this.#try(payload).then(
      () => this.connection.unhold("auth"),
      (error: unknown) => this.connection.fail(error as Error, disconnectReason.noMoreAuthMethods, "authentication failed"),
    );
  }

  async #try(payload: Buffer): Promise<void> {
    const credential = (await this.#credentials)?.[this.#tried];
    if (!credential) {
      const left = payload[0] === message.userauthFailure ? readMessage(payload, "the SSH refusal").text() : "none was given";
      throw new GatehouseError("unauthenticated", `the SSH server takes none of the credentials of ${JSON.stringify(this.#options.user)} (it takes: ${left})`);
    }
    this.#tried++;
    this.connection.sendAuth(this.#request(credential));
  }

  #request(credential: Credential): Buffer {
    const head = newMessage(message.userauthRequest).string(this.#options.user).string("ssh-connection").string(credential.method);
    if (credential.method === "none") return head.toBuffer();
    const key = sshPublicKey(credential.privateKey);
    const blob = credential.certificate === undefined ? key : parseSshCertificate(credential.certificate).blob;
    const type = new SshReader(key, "the SSH key").text();
    const plain = type === "ssh-rsa" ? "rsa-sha2-512" : type;
    const algorithm = credential.certificate === undefined ? plain : certificateAlgorithm(plain);
    const request = head.raw(Buffer.of(1)).string(algorithm).string(blob).toBuffer();
    const signed = new SshWriter().string(this.connection.sessionId).raw(request).toBuffer();
    return new SshWriter().raw(request).string(sshSign(credential.privateKey, signed)).toBuffer();
  }
}

/** What the host key blob of a key exchange says. Throws `bad_parameter`. */
function readProof(blob: Buffer): HostProof {
  try {
    if (plainAlgorithm(new SshReader(blob, "the host key").text()) === undefined) {
      publicKeyFromSsh(blob);
      return { key: blob, certificate: undefined };
    }
    const certificate = parseSshCertificate(blob);
    return { key: certificate.publicKey as Buffer, certificate };
  } catch (error) {
    throw new GatehouseError("bad_parameter", `the host's key is refused: ${errorMessage(error)}`, { cause: error });
  }
}
