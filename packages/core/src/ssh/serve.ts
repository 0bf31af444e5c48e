import { GatehouseError } from "../base/index.ts";
import { parseSshCertificate, SshReader, sshVerify, SshWriter, type SshCertificate } from "../formats/index.ts";
import { certificateAlgorithm, keyTypeOf, plainAlgorithm, signaturesOf } from "./algorithms.ts";
import { prepareHostKeys } from "./host-keys.ts";
import { message, newMessage, readMessage } from "./message.ts";
import { Connection } from "./transport.ts";
import { disconnectReason, type AuthAttempt, type AuthVerdict, type ServeOptions, type Transport } from "./types.ts";

const maxUser = 256;
const refused: AuthVerdict = { accept: false };

/**
 * Runs the server's side on a fresh connection; resolves once the user is authenticated. The socket is destroyed on every failure.
 * Rejects with `unauthenticated` (no attempt was accepted), `limit_exceeded` (time, attempts, sizes), `unavailable` (the connection was lost),
 * `bad_parameter` (not SSH, nothing in common, protocol broken), or with what `authenticate` threw.
 */
export function serveTransport(options: ServeOptions): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const hostKeys = prepareHostKeys(options.hostKeys);
    const server: UserAuthServer = new UserAuthServer(options, resolve);
    server.connection = new Connection({ hostKeys }, options, { onKeys: () => undefined, onMessage: (payload) => server.onMessage(payload), onFailed: reject });
  });
}

/** A request for authentication, in the form RFC 4252 §5 gives it. */
interface AuthRequest {
  readonly user: string;
  readonly method: string;
  readonly reader: SshReader;
  readonly payload: Buffer;
}

/** The server's half of RFC 4252, one request after the other. */
class UserAuthServer {
  connection!: Connection;
  readonly #options: ServeOptions;
  readonly #established: (transport: Transport) => void;
  #serviceAccepted = false;
  #refusals = 0;

  constructor(options: ServeOptions, established: (transport: Transport) => void) {
    this.#options = options;
    this.#established = established;
  }

  onMessage(payload: Buffer): void {
    if (payload[0] === message.serviceRequest) this.#onService(payload);
    else if (payload[0] === message.userauthRequest && this.#serviceAccepted) this.#onRequest(payload);
    else if (payload[0] !== message.extInfo) throw new GatehouseError("bad_parameter", `the SSH client sent message ${payload[0] ?? 0} where it has to authenticate`);
  }

  #onService(payload: Buffer): void {
    const reader = readMessage(payload, "the SSH service request");
    const name = reader.text();
    reader.end();
    if (name !== "ssh-userauth") throw new GatehouseError("bad_parameter", "the SSH client asks for another service than user authentication");
    this.#serviceAccepted = true;
    this.connection.sendAuth(newMessage(message.serviceAccept).string(name).toBuffer());
  }

  #onRequest(payload: Buffer): void {
    const reader = readMessage(payload, "the SSH authentication request");
    const user = reader.text();
    const service = reader.text();
    const method = reader.text();
    if (user.length > maxUser || service !== "ssh-connection") throw new GatehouseError("bad_parameter", "the SSH client asks for a strange user or service");
    // No request is looked at before the one ahead of it is decided.
    this.connection.hold("auth");
    this.#decide({ user, method, reader, payload }).then(
      () => this.connection.unhold("auth"),
      (error: unknown) => this.connection.fail(error as Error, disconnectReason.byApplication, "authentication failed"),
    );
  }

  async #decide(request: AuthRequest): Promise<void> {
    if (request.method === "none") {
      request.reader.end();
      this.#answer(request.user, await this.#options.authenticate({ user: request.user, method: "none" }));
    } else if (request.method === "publickey") {
      await this.#decideKey(request);
    } else {
      this.#answer(request.user, refused);
    }
  }

  async #decideKey({ user, reader, payload }: AuthRequest): Promise<void> {
    const proven = reader.bytes(1)[0] !== 0;
    const algorithm = reader.text();
    const blob = reader.string();
    const end = 1 + reader.offset;
    const signature = proven ? reader.string() : undefined;
    reader.end();
    const certificate = readCertificate(algorithm, blob);
    if (!certificate || (signature && !this.#isProof(certificate, algorithm, payload.subarray(0, end), signature))) {
      this.#answer(user, refused);
      return;
    }
    const attempt: AuthAttempt = { user, method: "publickey", certificate, proven };
    const verdict = await this.#options.authenticate(attempt);
    if (proven || !verdict.accept) this.#answer(user, verdict);
    else this.connection.sendAuth(newMessage(message.userauthPkOk).string(algorithm).string(blob).toBuffer());
  }

  #isProof(certificate: SshCertificate, algorithm: string, request: Buffer, signature: Buffer): boolean {
    if (new SshReader(signature, "the SSH signature").text() !== plainAlgorithm(algorithm)) return false;
    const signed = new SshWriter().string(this.connection.sessionId).raw(request).toBuffer();
    return sshVerify(certificate.publicKey, signed, signature);
  }

  #answer(user: string, verdict: AuthVerdict): void {
    if (verdict.banner !== undefined) this.connection.sendAuth(newMessage(message.userauthBanner).string(verdict.banner).string("").toBuffer());
    if (verdict.accept) {
      this.connection.sendAuth(newMessage(message.userauthSuccess).toBuffer());
      if (this.connection.establish(user)) this.#established(this.connection);
      return;
    }
    this.#refusals++;
    if (verdict.end !== undefined) {
      this.connection.fail(new GatehouseError("unauthenticated", `the SSH client was refused: ${verdict.end}`), disconnectReason.noMoreAuthMethods, verdict.end);
    } else if (this.#refusals >= this.connection.limits.authAttempts) {
      this.connection.fail(new GatehouseError("unauthenticated", "the SSH client made too many attempts at authentication"), disconnectReason.noMoreAuthMethods, "too many authentication failures");
    } else {
      this.connection.sendAuth(newMessage(message.userauthFailure).string("publickey").raw(Buffer.alloc(1)).toBuffer());
    }
  }
}

/** The certificate of a request; undefined for a plain key, an algorithm that does not belong to it, and what is no sound certificate. */
function readCertificate(algorithm: string, blob: Buffer): SshCertificate | undefined {
  const plain = plainAlgorithm(algorithm);
  if (plain === undefined || !signaturesOf(keyTypeOf(plain)).includes(plain)) return undefined;
  try {
    return new SshReader(blob, "the SSH certificate").text() === certificateAlgorithm(keyTypeOf(plain)) ? parseSshCertificate(blob) : undefined;
  } catch (error) {
    if (error instanceof GatehouseError) return undefined;
    throw error;
  }
}
