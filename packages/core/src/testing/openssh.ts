import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** OpenSSH has it from 9.9 on, and warns from 10.1 on of a peer that has none of its kind. */
const postQuantum = "mlkem768x25519-sha256";
const howToGet =
  "have OpenSSH 9.9 or later, or set GATEHOUSE_TEST_OPENSSH to a folder with its packages unpacked; on Debian 12: apt-get download -t bookworm-backports openssh-client openssh-server, then dpkg -x FILE FOLDER for each";

/** An OpenSSH with the post-quantum key exchange `mlkem768x25519-sha256`. */
export interface PostQuantumOpenSsh {
  /** Paths, or names on PATH. */
  readonly ssh: string;
  readonly sshd: string;
  /** Lines that its sshd needs to find its parts. */
  readonly sshdConfig: readonly string[];
}

function hasIt(ssh: string): boolean {
  try {
    return execFileSync(ssh, ["-Q", "kex"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n").includes(postQuantum);
  } catch {
    return false;
  }
}

/**
 * This machine's OpenSSH where it is new enough, else the one unpacked in `GATEHOUSE_TEST_OPENSSH`. Where there is none, says how to get it and returns
 * undefined, so that a test skips aloud; with `CI=true` it throws, since there nothing may be skipped.
 */
export function requirePostQuantumOpenSsh(): PostQuantumOpenSsh | undefined {
  if (hasIt("ssh")) return { ssh: "ssh", sshd: "sshd", sshdConfig: [] };
  const folder = process.env["GATEHOUSE_TEST_OPENSSH"] ?? "";
  const parts = join(folder, "usr/lib/openssh");
  const unpacked = { ssh: join(folder, "usr/bin/ssh"), sshd: join(folder, "usr/sbin/sshd"), sshdConfig: [`SshdSessionPath ${join(parts, "sshd-session")}`, `SshdAuthPath ${join(parts, "sshd-auth")}`] };
  if (folder !== "" && hasIt(unpacked.ssh)) return unpacked;
  const message = `no OpenSSH with ${postQuantum}: ${howToGet}`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`skipping tests: ${message}`);
  return undefined;
}
