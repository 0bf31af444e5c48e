import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { startSshd } from "@gatehouse/core/testing";
import { stringify } from "yaml";
import { run } from "./process.ts";
import type { World } from "./world.ts";

/** Whom an sshd of a test lets in: it runs as this user, and can be nobody else. */
export const hostLogin = userInfo().username;

/** A host of a test: a real sshd that trusts the gateway, registered with it. */
export interface Host {
  readonly id: string;
  readonly name: string;
  readonly port: number;
  /** sshd's log so far. */
  log(): string;
  stop(): Promise<void>;
}

async function must(what: string, running: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>): Promise<string> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(`${what} failed with ${String(code)}:\n${stdout}${stderr}`);
  return stdout;
}

/** Starts one as an administrator would set it up by hand. `config`: more lines for sshd. */
export async function createHost(world: World, name: string, options: { readonly labels?: Readonly<Record<string, string>>; readonly config?: readonly string[] } = {}): Promise<Host> {
  const id = `${name}-id`;
  const folder = join(world.folder, "hosts", name);
  await mkdir(join(folder, "principals"), { recursive: true });
  const key = join(folder, "ssh_host_ed25519_key");
  await must("ssh-keygen", run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]));
  await must("tctl auth sign", world.tctl(["auth", "sign", `--host=${name}`, `--key=${key}.pub`]));
  await writeFile(join(folder, "ca.pub"), await must("tctl auth export", world.tctl(["auth", "export", "--type=openssh", "--format=openssh"])));
  await writeFile(join(folder, "principals", hostLogin), `${hostLogin}@${id}\n`);
  const sshd = await startSshd(folder, [
    `HostKey ${key}`,
    `HostCertificate ${key}-cert.pub`,
    `TrustedUserCAKeys ${join(folder, "ca.pub")}`,
    `AuthorizedPrincipalsFile ${join(folder, "principals/%u")}`,
    "Subsystem sftp internal-sftp",
    ...(options.config ?? []),
  ]);
  const node = { kind: "node", version: "v2", sub_kind: "openssh", metadata: { name: id, labels: options.labels ?? {} }, spec: { addr: `127.0.0.1:${String(sshd.port)}`, hostname: name } };
  await must("tctl create node", world.tctl(["create", "-f", "-"], { input: stringify(node) }));
  return { id, name, port: sshd.port, log: sshd.log, stop: sshd.stop };
}
