import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { userInfo, constants } from "node:os";
import { resolve } from "node:path";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { chosenIdentity, obtainLogin, readIdentityFile, type LoginRecord } from "@gatehouse/core/client/lean";
import { askEnding, connectHost, holdKey, noKeys, parseHostTarget, pump, serveAgent, type AgentSocket, type HostConnection, type HostTarget } from "@gatehouse/core/client/ssh";
import { formatAuthorizedKey, sshPublicKey } from "@gatehouse/core/formats/ssh";
import { writeOut } from "./write-out.ts";

interface Flags {
  proxy?: string;
  identity?: string;
  login?: string;
  "agent-path"?: string;
  "status-file"?: string;
  "recording-info"?: string;
  target?: string;
}

/** The port that ssh gives where nobody asked for one: the host's own may be another. */
const usualPort = 22;

/** By hand, since what ssh waits for loads no flag parser. Throws `usage`. */
function parse(args: readonly string[]): Flags & { readonly target: string } {
  const flags: Flags = {};
  const set = (name: keyof Flags, value: string | undefined): void => {
    if (value === undefined || value === "") throw new GatehouseError("usage", `--${name} needs a value`);
    flags[name] = value;
  };
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? "";
    const match = /^(?:--(proxy|identity|login|agent-path|status-file)|-i)(?:=(.*))?$/s.exec(word);
    if (match) set((match[1] ?? "identity") as keyof Flags, match[2] ?? args[++index]);
    else if (word === "--recording-info") set("recording-info", "yes");
    else if (!word.startsWith("-") && flags.target === undefined) set("target", word);
    else if (word !== "-d" && word !== "--debug") throw new GatehouseError("usage", `tsh proxy ssh does not know "${escapeLine(word)}"`, { hint: "tsh proxy ssh --help" });
  }
  if (flags.target === undefined) throw new GatehouseError("usage", "tsh proxy ssh needs a host", { hint: "tsh proxy ssh --help" });
  return { ...flags, target: flags.target };
}

/** The login, or the line that says why there is none. */
async function findLogin({ proxy, identity }: Flags): Promise<LoginRecord | string> {
  const file = chosenIdentity(process.env, identity);
  if (file !== undefined) return readIdentityFile(file, { env: process.env, proxy, now: systemClock.now() });
  const found = await obtainLogin({
    env: process.env,
    clock: systemClock,
    proxy,
    parent: process.ppid,
    mayAsk: async () => (await import("@gatehouse/core/client/terminal")).hasTerminalDevice(),
    login: async (gateway, auth) => (await import("./login-on-terminal.ts")).loginOnTerminal(gateway, auth),
  });
  if (found.record && found.line !== "") writeOut(2, found.line);
  return found.record ?? found.line;
}

/** Offers the minted certificate, and the keys of the agent that was there before, where ssh looks for an agent. */
async function offerAgent(path: string | undefined, { mode, certificate, nodeName }: HostConnection, privateKey: KeyObject): Promise<AgentSocket | undefined> {
  const upstream = process.env["SSH_AUTH_SOCK"];
  if (mode === "off" && certificate === undefined) throw new GatehouseError("internal", "the gateway's answer cannot be used: it gave no certificate for the host", { hint: "tell the gateway's operator" });
  if (path === undefined) {
    if (mode === "off") writeOut(2, "tsh: the host wants a certificate that ssh can be given by an agent alone: add --agent-path, as tsh config does\n");
    return undefined;
  }
  if (certificate === undefined && (upstream === undefined || upstream === "")) return undefined;
  const held = certificate === undefined ? noKeys : holdKey({ privateKey, certificate, comment: `gatehouse ${nodeName}` });
  return serveAgent({ path: resolve(path), held, upstream });
}

/** Standard input or output as a stream that takes and gives much at once, and never blocks; Node's own where it is no pipe. */
function standard(fd: 0 | 1): Socket | NodeJS.ReadStream | NodeJS.WriteStream {
  try {
    return new Socket({ fd, readable: fd === 0, writable: fd === 1, allowHalfOpen: true });
  } catch {
    return fd === 0 ? process.stdin : process.stdout;
  }
}

/** Copies both ways until the gateway has ended, or is gone. Where the gateway ends what it passes end to end, it is asked why before ssh hears of the end. */
async function carry(record: LoginRecord, connection: HostConnection): Promise<void> {
  const { socket, mode } = connection;
  const [input, output] = [standard(0), standard(1)];
  let left = false;
  input.once("end", () => {
    left = true;
  });
  const askWhy = async (): Promise<void> => {
    const why = left || mode === "proxy" ? undefined : await askEnding(record, connection);
    if (why !== undefined) writeOut(2, `tsh: ${escapeLine(why)}\n`);
  };
  const gone = new Promise<void>((done) => {
    socket.once("close", () => {
      if (!socket.readableEnded) done();
    });
    // Whoever ran this has gone: there is nobody to tell.
    output.once("error", () => done());
  });
  const out = pump(socket, output, askWhy);
  // Once the gateway has ended nothing that ssh sends is of use; and only with this process does ssh see it, for a pipe cannot be shut down.
  await Promise.race([out, Promise.all([pump(input, socket), out]), gone]);
  socket.destroy();
  input.destroy();
}

const describeTarget = ({ host, port }: HostTarget): { readonly target: string; readonly port: number | undefined } => ({ target: host, port: port === usualPort ? undefined : port });

/** Says why not in one line, and leaves the exit code for whoever ran ssh: ssh has none of its own for it. */
function refuse(text: string, code: number, { "status-file": file }: Flags): number {
  writeOut(2, text);
  if (file !== undefined) writeFileSync(file, String(code), { mode: 0o600 });
  return code;
}

/** What ssh runs as its ProxyCommand. Returns the exit code; throws what is not the gateway's or the login's to say. */
export async function proxySsh(args: readonly string[]): Promise<number> {
  const flags = parse(args);
  const target = parseHostTarget(flags.target);
  const found = await findLogin(flags);
  if (typeof found === "string") return refuse(found, 3, flags);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const login = flags.login ?? target.login ?? userInfo().username;
  let connection: HostConnection;
  try {
    connection = await connectHost(found, { ...describeTarget(target), login, key: formatAuthorizedKey(sshPublicKey(publicKey)) });
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    const event = error.id === undefined ? "" : ` (event ${error.id})`;
    return refuse(`tsh: ${escapeLine(`${error.message}${error.hint === undefined ? "" : `; ${error.hint}`}${event}`)}\n`, error.exitCode, flags);
  }
  if (flags["recording-info"] !== undefined) writeOut(2, `tsh: ${connection.mode === "proxy" ? "the gateway records this session" : "this session is not recorded"} (${escapeLine(connection.nodeName)})\n`);
  const agent = await offerAgent(flags["agent-path"], connection, privateKey);
  process.once("exit", () => agent?.close());
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(128 + constants.signals[signal]));
  await carry(found, connection);
  agent?.close();
  return 0;
}
