import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { changeHome, clientHome, openLogins, profileName, parseProxyAddress, selectProfile, writeProfile } from "@gatehouse/core/client";
import { certifySshKey, newSshKey } from "@gatehouse/core/testing";
import { cleanEnv, tshPath } from "../support/world.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const rounds = 31;
/** The gateway of the login. */
export const proxy = "gateway.example:3080";

/** A home with a login that is valid for an hour, in the file keystore. Its SSH certificate is one; those for TLS are text that nobody looks at here. */
export async function homeWithLogin(folder: string): Promise<NodeJS.ProcessEnv> {
  const env = cleanEnv({ HOME: folder });
  const home = clientHome(env);
  const name = profileName(parseProxyAddress(proxy));
  const key = newSshKey("nistp256");
  const certificate = `-----BEGIN CERTIFICATE-----\n${"A".repeat(900)}\n-----END CERTIFICATE-----\n`;
  const now = Date.now();
  await changeHome(home, async () => {
    await openLogins(home, "file", env).write(name, {
      version: 1,
      proxy,
      cluster: "example",
      username: "ana",
      privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
      sshCertificate: certifySshKey(newSshKey(), key, "user", ["ana"]),
      tlsCertificate: certificate,
      hostKeys: [],
      hostCertificates: [certificate],
      issued: now,
      expires: now + 3_600_000,
    });
    await writeProfile(home, name, { web_proxy_addr: proxy, auth_type: "github", cluster: "example", user: "ana", keystore: "file" });
    await selectProfile(home, name);
  });
  return env;
}

/** ms that a command takes from its start to its end. Throws where it fails. */
export function time(args: readonly string[], env: NodeJS.ProcessEnv): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${String(status)}: ${stderr}`);
  return performance.now() - begun;
}

/** `tsh kube credentials` with a valid login, and `tsh version`, against `node -e 0`, in turn. */
export async function benchStartUp(print: (text: string) => void): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  try {
    const env = await homeWithLogin(folder);
    const commands = {
      "node -e 0": ["-e", "0"],
      "tsh version": [tshPath, "version"],
      "tsh kube credentials": [tshPath, "kube", "credentials", `--proxy=${proxy}`, "--cluster=example"],
    };
    const times = Object.entries(commands).map(([name, args]) => ({ name, args, all: [] as number[] }));
    for (const { args } of times) time(args, env);
    for (let round = 0; round < rounds; round++) for (const { args, all } of times) all.push(time(args, env));
    const [floor, version, credentials] = times.map(({ all }) => median(all));
    print(table(["start-up", "ms"], times.map(({ name, all }) => [name, median(all).toFixed(1)])));
    if (floor === undefined || version === undefined || credentials === undefined) throw new Error("nothing was measured");
    return [verdict("tsh kube credentials, warm", credentials / floor, "≤", 1.7, "× node -e 0"), verdict("tsh version", version / floor, "≤", 2, "× node -e 0")];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
