import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey } from "@gatehouse/core/formats";
import { startSshd, type Sshd } from "../../packages/core/src/testing/index.ts";
import type { World } from "./world.ts";

/** The account that tests run as: the only one that an sshd of theirs can let in. */
export const hostLogin = userInfo().username;

/** A real sshd that a world's gateway leads to. */
export interface Host {
  readonly name: string;
  readonly sshd: Sshd;
  readonly folder: string;
}

/** How a host is set up. */
export interface HostOptions {
  readonly labels?: Readonly<Record<string, string>>;
  /** Lines for its sshd. */
  readonly config?: readonly string[];
  /** Another sshd than the one on PATH. */
  readonly sshd?: string;
}

async function must(world: World, args: readonly string[], input?: string): Promise<string> {
  const outcome = await world.tctl(args, input === undefined ? {} : { input });
  if (outcome.code !== 0) throw new Error(`tctl ${args.join(" ")}: ${outcome.stderr}`);
  return outcome.stdout;
}

/**
 * Starts an sshd as an administrator would set one up by hand: it trusts the authority of minted certificates, takes `<login>@<its id>` alone, and shows a
 * certificate of the cluster's host authority. Its id is its name.
 */
export async function startHost(world: World, name: string, options: HostOptions = {}): Promise<Host> {
  const folder = join(world.folder, "hosts", name);
  await mkdir(folder, { recursive: true });
  const key = generateKeyPairSync("ed25519").privateKey;
  await writeFile(join(folder, "key"), encodeOpenSshPrivateKey(key), { mode: 0o600 });
  await writeFile(join(folder, "key.pub"), `${formatAuthorizedKey(sshPublicKey(createPublicKey(key)))}\n`);
  await must(world, ["auth", "sign", `--host=${name}`, `--key=${join(folder, "key.pub")}`]);
  await writeFile(join(folder, "ca.pub"), await must(world, ["auth", "export", "--type=openssh"]));
  await writeFile(join(folder, "principals"), `${hostLogin}@${name}\n`);
  const sshd = await startSshd(folder, [
    `HostKey ${join(folder, "key")}`,
    `HostCertificate ${join(folder, "key-cert.pub")}`,
    `TrustedUserCAKeys ${join(folder, "ca.pub")}`,
    `AuthorizedPrincipalsFile ${join(folder, "principals")}`,
    "Subsystem sftp internal-sftp",
    "MaxStartups 200",
    "MaxSessions 100",
    ...(options.config ?? []),
  ], options.sshd);
  await must(world, ["create", "-f", "-"], stringify({ kind: "node", version: "v2", sub_kind: "openssh", metadata: { name, labels: options.labels ?? {} }, spec: { addr: `127.0.0.1:${sshd.port}`, hostname: name } }));
  return { name, sshd, folder };
}

/** A role that lets people in to every host as {@link hostLogin}. */
export async function createHostRole(world: World, name: string, options: Readonly<Record<string, unknown>>, allow: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await must(world, ["create", "-f", "-"], stringify({ kind: "role", version: "v3", metadata: { name }, spec: { options: { forward_agent: true, port_forwarding: true, ...options }, allow: { logins: [hostLogin], node_labels: { "*": "*" }, ...allow } } }));
}
