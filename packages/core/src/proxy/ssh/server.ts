import { setMaxListeners } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { authFailed } from "../../audit/index.ts";
import { GatehouseError, addressKey, errorMessage } from "../../base/index.ts";
import { disconnectReason, serveTransport, type AuthAttempt, type AuthVerdict, type Transport } from "../../ssh/index.ts";
import { listenOn, peerOf, type ListenAddress } from "../listener/index.ts";
import { SshConnection } from "./connection.ts";
import type { Connector } from "./connector.ts";
import type { SshContext } from "./context.ts";
import { keepAliveTime } from "./dial.ts";
import type { HostKeys } from "./host-keys.ts";
import { Person, type Ends } from "./person.ts";
import { refusalLine, refuse } from "./refusals.ts";
import { Unused } from "./unused.ts";

/** What one connection's attempts have come to. */
interface Attempts {
  person: Person | undefined;
  /** It got as far as to ask to be let in. */
  tried: boolean;
  /** A certificate was looked at, whatever became of it. */
  shown: boolean;
}

/** SSH itself: takes connections, asks for certificates, and hands on who has one. */
export class SshServer {
  readonly #context: SshContext;
  readonly #connector: Connector;
  readonly #hostKeys: HostKeys;
  /** Connections that have not authenticated, oldest first. */
  readonly #halfOpen = new Map<Socket, string>();
  readonly #perAddress = new Map<string, number>();
  readonly #unused: Unused;
  readonly #open = new Set<Socket>();
  readonly #ports = new Set<Server>();
  readonly #stop = new AbortController();

  constructor(context: SshContext, connector: Connector, hostKeys: HostKeys) {
    this.#context = context;
    this.#connector = connector;
    this.#hostKeys = hostKeys;
    this.#unused = new Unused(context.limits.unusedPerPerson);
    // Every connection listens to it.
    setMaxListeners(0, this.#stop.signal);
  }

  get connections(): number {
    return this.#open.size;
  }

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  accept(socket: Socket): void {
    const { limits, logger } = this.#context;
    socket.on("error", () => socket.destroy());
    const address = addressKey(socket.remoteAddress ?? "");
    const ofAddress = this.#perAddress.get(address) ?? 0;
    const full = this.#open.size >= limits.connections ? "too many are open" : ofAddress >= limits.halfOpenPerAddress ? "too many of one address have not authenticated" : undefined;
    if (this.#context.closing() || full !== undefined) {
      if (full !== undefined) logger.debug({ remote: peerOf(socket), connections: this.#open.size }, `SSH connection refused: ${full}`);
      socket.destroy();
      return;
    }
    if (this.#halfOpen.size >= limits.halfOpen) this.#evictOldest();
    this.#halfOpen.set(socket, address);
    this.#perAddress.set(address, ofAddress + 1);
    this.#open.add(socket);
    socket.once("close", () => {
      this.#settle(socket);
      this.#open.delete(socket);
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveTime);
    this.#serve(socket).catch((error: unknown) => {
      logger.error({ error: errorMessage(error) }, "an SSH connection failed for a reason of our own");
      socket.destroy();
    });
  }

  async listen(address: ListenAddress): Promise<AddressInfo> {
    const port = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.accept(socket));
    const actual = await listenOn(port, "the SSH proxy", address);
    port.on("error", (error) => this.#context.logger.error({ error: errorMessage(error) }, "the SSH listener failed"));
    this.#ports.add(port);
    return actual;
  }

  /** Takes no more connections, and drops those that have not authenticated. */
  stop(): void {
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    this.#stop.abort(new GatehouseError("unavailable", "the gateway is shutting down"));
    for (const socket of [...this.#halfOpen.keys()]) socket.destroy();
  }

  /** Closes what is left. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #serve(socket: Socket): Promise<void> {
    const ends: Ends = {
      address: socket.remoteAddress ?? "",
      remoteAddress: peerOf(socket),
      localAddress: peerOf({ remoteAddress: socket.localAddress, remotePort: socket.localPort }),
    };
    const { limits } = this.#context;
    const attempts: Attempts = { person: undefined, tried: false, shown: false };
    let transport: Transport;
    try {
      transport = await serveTransport({
        socket,
        hostKeys: await this.#hostKeys.own(),
        authenticate: (attempt) => this.#authenticate(attempt, ends, attempts),
        limits: { handshakeTime: limits.handshakeTimeout, authTime: limits.authTimeout },
        signal: this.#stop.signal,
      });
    } catch (error) {
      if (attempts.person !== undefined) this.#unused.remove(attempts.person.username);
      this.#unserved(error, ends, attempts);
      return;
    } finally {
      this.#settle(socket);
    }
    const { person } = attempts;
    if (person === undefined || this.#context.closing()) {
      if (person !== undefined) this.#unused.remove(person.username);
      transport.disconnect(disconnectReason.byApplication, "the gateway is shutting down");
      return;
    }
    new SshConnection(this.#context, this.#connector, person, transport, this.#unused).start();
  }

  async #authenticate(attempt: AuthAttempt, ends: Ends, attempts: Attempts): Promise<AuthVerdict> {
    attempts.tried = true;
    if (attempt.method !== "publickey") return { accept: false };
    const context = this.#context;
    attempts.shown = true;
    let user: string | undefined;
    try {
      const certificate = context.authorities.identifySshUser(attempt.certificate, { login: attempt.user, address: ends.address });
      user = certificate.username;
      const person = new Person(context, certificate, ends);
      person.identity();
      this.#unused.admit(person.username);
      if (attempt.proven && attempts.person === undefined) {
        attempts.person = person;
        this.#unused.add(person.username);
      }
      return { accept: true };
    } catch (error) {
      // Whoever is nobody yet may try as often as they like, but not fill the log with it.
      if (user === undefined && error instanceof GatehouseError && !context.strangers.admit(ends.remoteAddress)) return { accept: false, banner: `${error.message}\n` };
      const told = await refuse(context, { user, remoteAddress: ends.remoteAddress, localAddress: ends.localAddress, login: attempt.user }, error);
      return { accept: false, banner: `${refusalLine(told)}\n` };
    }
  }

  #unserved(error: unknown, ends: Ends, attempts: Attempts): void {
    const { logger, strangers, recorder } = this.#context;
    logger.debug({ remote: ends.remoteAddress, error: errorMessage(error) }, "SSH connection did not authenticate");
    if (attempts.shown || !attempts.tried || this.#context.closing() || !strangers.admit(ends.remoteAddress)) return;
    recorder.write({ ...authFailed({ error: "no certificate of this cluster was shown", origin: ends }), proto: "ssh", rule: "certificate" });
  }

  #settle(socket: Socket): void {
    const address = this.#halfOpen.get(socket);
    if (address === undefined) return;
    this.#halfOpen.delete(socket);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  #evictOldest(): void {
    for (const socket of this.#halfOpen.keys()) {
      this.#settle(socket);
      socket.destroy();
      return;
    }
  }
}
