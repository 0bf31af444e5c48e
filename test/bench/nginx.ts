import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import type { Pair, TestAuthority } from "../stand-ins/certificates.ts";
import { pinned, stop } from "./processes.ts";

/** One nginx with one process. */
export interface Nginx {
  readonly port: number;
  readonly child: ChildProcess;
  close(): Promise<void>;
}

/** Size of the upstream's answer. */
export const answerSize = 5 * 1024;

const binary = ["/usr/sbin/nginx", "/usr/bin/nginx"].find((path) => existsSync(path));

/** A cheap TLS upstream that wants a client certificate and answers 5 KB. */
export function startUpstream(core: number, authority: TestAuthority): Promise<Nginx> {
  return startNginx(core, authority, (port) => `
    server {
      listen 127.0.0.1:${String(port)} ssl;
      default_type application/json;
      # One parameter of a configuration may have less than 4 KB.
      set $kilobyte "${"x".repeat(1024)}";
      location / { return 200 "${"$kilobyte".repeat(answerSize / 1024)}"; }
    }`);
}

/** The same mTLS on both sides as the gateway has, without a decision or an audit event. */
export function startProxy(core: number, authority: TestAuthority, upstreamPort: number, folderOf: (name: string) => string): Promise<Nginx> {
  return startNginx(core, authority, (port) => `
    upstream api { server 127.0.0.1:${String(upstreamPort)}; keepalive 128; keepalive_requests 100000000; }
    server {
      listen 127.0.0.1:${String(port)} ssl;
      location / {
        proxy_pass https://api;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Impersonate-User ana;
        proxy_set_header Impersonate-Group developers;
        proxy_ssl_certificate ${folderOf("client.pem")};
        proxy_ssl_certificate_key ${folderOf("client.key")};
        proxy_ssl_trusted_certificate ${folderOf("ca.pem")};
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
      }
    }`);
}

async function startNginx(core: number, authority: TestAuthority, servers: (port: number) => string): Promise<Nginx> {
  if (binary === undefined) throw new Error("the bench needs nginx: apt-get install nginx-light");
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-nginx-"));
  const pair: Pair = authority.server(["localhost"], ["127.0.0.1"]);
  const port = await freePort();
  await Promise.all([writeFile(join(folder, "ca.pem"), authority.cert), writeFile(join(folder, "server.pem"), pair.cert), writeFile(join(folder, "server.key"), pair.key, { mode: 0o600 })]);
  const config = join(folder, "nginx.conf");
  await writeFile(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
  events { worker_connections 4096; }
  http {
    access_log off; keepalive_timeout 600; keepalive_requests 100000000;
    client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
    ssl_certificate ${folder}/server.pem; ssl_certificate_key ${folder}/server.key;
    ssl_client_certificate ${folder}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3;
    ${servers(port)}
  }\n`,
  );
  const child = pinned(core, binary, ["-c", config, "-p", folder, "-e", "stderr"]);
  await listening(port, child);
  return {
    port,
    child,
    async close() {
      await stop(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100 && child.exitCode === null; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nginx did not start");
}
