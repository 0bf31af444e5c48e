import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { connect } from "node:tls";
import { join } from "node:path";
import { nullLogger, type Clock } from "@gatehouse/core/base";
import { parseGatewayOptions } from "@gatehouse/core/config";
import { startGateway, type Gateway } from "@gatehouse/core/proxy";
import { stringify } from "yaml";
import { githubConnector, startGithub } from "../stand-ins/github.ts";
import { run, type Outcome } from "./process.ts";
import { browserPath, cleanEnv, people, tshPath } from "./world.ts";

/** A machine of one person: own home, own environment. */
export interface ClockedMachine {
  readonly env: NodeJS.ProcessEnv;
  /** `tsh login` with the gateway's pin and a file keystore; throws what it said where it fails. */
  logIn(args?: readonly string[]): Promise<Outcome>;
}

/** A gateway in this process, whose clock the test moves, with a stand-in GitHub where ana is logged in. */
export interface ClockedGateway {
  readonly gateway: Gateway;
  /** What `--proxy` takes. */
  readonly proxy: string;
  machine(name: string): Promise<ClockedMachine>;
  close(): Promise<void>;
}

/** A kubeconfig that the gateway takes and nobody answers: enough for what the client sees. */
const nowhere = stringify({
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "nowhere", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } }],
  users: [{ name: "gateway", user: { token: "none" } }],
  contexts: [{ name: "nowhere", context: { cluster: "nowhere", user: "gateway" } }],
  "current-context": "nowhere",
});

async function localAdmin(dataDir: string, resource: Record<string, unknown>): Promise<void> {
  const nonce = (await readFile(join(dataDir, "admin.nonce"), "utf8")).trim();
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request(
      { socketPath: join(dataDir, "admin.sock"), method: "PUT", path: "/gatehouse/v1/resources", headers: { authorization: `Bearer ${nonce}`, "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk)).on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.once("error", reject).end(JSON.stringify({ resource, mode: "upsert" }));
  });
  if (status !== 200) throw new Error(`the admin API answered ${status}: ${text}`);
}

/** The authority that a gateway shows beside its certificate, PEM. */
async function presentedAuthority(address: string): Promise<string> {
  const { hostname, port } = new URL(`https://${address}`);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { issuerCertificate } = socket.getPeerCertificate(true);
  socket.destroy();
  return new X509Certificate(issuerCertificate.raw).toString();
}

/** Starts it; the caller closes it. */
export async function startClockedGateway(clock: Clock): Promise<ClockedGateway> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-client-"));
  const dataDir = join(folder, "data");
  const kubeconfig = join(folder, "gateway.kubeconfig");
  await writeFile(kubeconfig, nowhere, { mode: 0o600 });
  const github = await startGithub({ users: people });
  github.setUser("ana");
  const text = stringify({
    teleport: { data_dir: dataDir },
    auth_service: { cluster_name: "example", listen_addr: "127.0.0.1:0", authentication: { type: "github" } },
    proxy_service: {
      web_listen_addr: "127.0.0.1:0",
      kubernetes: { enabled: true, listen_addr: "127.0.0.1:0", kubeconfig_file: kubeconfig },
    },
  });
  const config = parseGatewayOptions({ text, filename: "teleport.yaml", overrides: {}, host: { hostname: "localhost", env: {}, uid: 1000, homeDirectory: folder } });
  const gateway = await startGateway(config, { logger: nullLogger, clock });
  const proxy = gateway.addresses.web;
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, await presentedAuthority(proxy));
  await localAdmin(dataDir, githubConnector(github, proxy, { teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["ana", "deploy"], kubernetes_groups: ["developers"] }] }));
  return {
    gateway,
    proxy,
    async machine(name) {
      const home = join(folder, "machines", name);
      await mkdir(home, { recursive: true });
      const env = cleanEnv({ HOME: home, KUBECONFIG: join(home, "kubeconfig"), BROWSER: `${process.execPath} ${browserPath} %s`, BROWSER_CA: caFile });
      return {
        env,
        async logIn(args = []) {
          const outcome = await run(process.execPath, [tshPath, "login", `--proxy=${proxy}`, "--auth=github", `--ca-pin=${gateway.caPin}`, "--keystore=file", "--force", ...args], { env });
          if (outcome.code !== 0) throw new Error(`tsh login failed with ${String(outcome.code)}:\n${outcome.stdout}${outcome.stderr}`);
          return outcome;
        },
      };
    },
    async close() {
      await gateway.close({ drainMs: 0 });
      await github.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
