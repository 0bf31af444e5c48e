/** For tests alone: OpenSSH's own client towards an SSH world. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeOpenSshPrivateKey } from "../../formats/index.ts";
import { hostLogin, type SshWorld, type TestPerson } from "./test-world.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes what ssh needs to come as this person; returns its configuration's path. Hosts: `gw` is the proxy, `gw-web` the shared port; everything else goes through `gw`. */
export async function writeSshConfig(world: SshWorld, person: Pick<TestPerson, "name" | "privateKey" | "sshCertificate">, more = ""): Promise<string> {
  const file = (name: string): string => join(world.directory, `${person.name}-${name}`);
  const [authority = ""] = world.authorities.trust("host").sshKeys;
  await writeFile(file("id"), encodeOpenSshPrivateKey(person.privateKey), { mode: 0o600 });
  await writeFile(file("id-cert.pub"), person.sshCertificate);
  await writeFile(file("known_hosts"), `@cert-authority * ${authority}\n`);
  await writeFile(
    file("config"),
    `Host gw
  HostName 127.0.0.1
  Port ${String(world.port)}
Host gw-web
  HostName 127.0.0.1
  Port ${String(world.webPort)}
Host * !gw !gw-web
  ProxyJump gw
${more}
Host *
  User ${hostLogin}
  IdentityFile ${file("id")}
  CertificateFile ${file("id-cert.pub")}
  UserKnownHostsFile ${file("known_hosts")}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  ConnectTimeout 20
`,
  );
  return file("config");
}

/** Runs ssh. Never throws for an exit code. */
export function ssh(config: string, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile("ssh", ["-F", config, ...args], { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 255, stdout, stderr });
    });
  });
}
