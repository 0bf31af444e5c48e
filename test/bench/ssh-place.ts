import { execFile } from "node:child_process";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startSshd } from "@gatehouse/core/testing";
import type { Sshd } from "@gatehouse/core/testing";
import { stringify } from "yaml";
import { hostLogin, startHost } from "../support/ssh-hosts.ts";
import type { Host } from "../support/ssh-hosts.ts";
import { createWorld, tshPath } from "../support/world.ts";
import type { World } from "../support/world.ts";
import { cores } from "./processes.ts";

const run = promisify(execFile);

/** Who is recorded on their way, and whose bytes pass end to end. */
export const benchPeople = ["recorded", "passed"] as const;
export type BenchPerson = (typeof benchPeople)[number];

/** A gateway, a host behind it, a plain jump host, and two people with a login in a file. */
export interface SshPlace {
  readonly world: World;
  /** What ssh is given to go a way. */
  args(way: Way): readonly string[];
  /** Identity file of a person. */
  identity(person: BenchPerson): string;
  close(): Promise<void>;
}

/** How the host is reached: directly, by `-J` through plain sshd and through the gateway, and by `tsh proxy ssh`. */
export const ways = ["direct", "jumped", "jumped-gateway", "tsh-passed", "tsh-recorded"] as const;
export type Way = (typeof ways)[number];

/** The gateway as a process of its own, on the core of what is measured; a SIGUSR2 collects its garbage. */
export async function createSshPlace(): Promise<SshPlace> {
  const world = await createWorld({
    config: (config) => (config.proxy_service["ssh_listen_addr"] = "127.0.0.1:0"),
    nodeArgs: ["--expose-gc", `--import=data:text/javascript,process.on("SIGUSR2",()=>{for(let i=0;i<4;i++)gc()})`],
  });
  const open: { stop(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const each of open) await each.stop();
    await world.close();
  };
  try {
    await run("taskset", ["-a", "-p", "-c", String(cores.measured), String(world.gateway.child.pid)]);
    const host = await startHost(world, "web-1");
    open.push(host.sshd);
    const identity = (person: BenchPerson): string => join(world.folder, `${person}.pem`);
    for (const person of benchPeople) await createPerson(world, person, identity(person));
    const key = join(world.folder, "bench-key");
    const jump = await startJumpHost(world, host, key);
    open.push(jump);
    const config = (name: string): string => join(world.folder, `${name}.ssh_config`);
    const places = { world, host, jump, key, identity };
    await writeFile(config("plain"), sshConfig(places));
    for (const person of benchPeople) await writeFile(config(person), await personConfig(places, person));
    const args = (way: Way): readonly string[] => (way === "tsh-passed" || way === "tsh-recorded" ? ["-F", config(way.slice(4)), "web-1.example"] : ["-F", config("plain"), way]);
    return { world, args, identity, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of every way. */
const common = `  User ${hostLogin}
  GlobalKnownHostsFile none
  BatchMode yes
  LogLevel ERROR
`;

async function must(world: World, args: readonly string[], input?: string): Promise<void> {
  const { code, stderr } = await world.tctl(args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`tctl ${args.join(" ")}: ${stderr}`);
}

async function createPerson(world: World, name: BenchPerson, identity: string): Promise<void> {
  const options = { ssh_recording: name === "recorded" ? "proxy" : "off", port_forwarding: true };
  const role = { kind: "role", version: "v3", metadata: { name }, spec: { options, allow: { logins: [hostLogin], node_labels: { "*": "*" } } } };
  const user = { kind: "user", version: "v2", metadata: { name }, spec: { roles: [name], traits: {} } };
  for (const resource of [role, user]) await must(world, ["create", "-f", "-"], stringify(resource));
  await must(world, ["auth", "sign", `--user=${name}`, "--ttl=2h", `--out=${identity}`]);
  await must(world, ["auth", "sign", `--user=${name}`, "--ttl=2h", "--format=openssh", `--out=${join(world.folder, name)}`]);
}

/** A plain sshd to jump over. It and the host trust an authority of the bench's own too: what is compared with needs no gateway. */
async function startJumpHost(world: World, host: Host, key: string): Promise<Sshd> {
  const folder = join(world.folder, "jump");
  await mkdir(folder);
  const authority = join(folder, "authority");
  for (const file of [authority, join(folder, "host"), key]) await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  await run("ssh-keygen", ["-q", "-s", authority, "-I", "bench", "-n", `${hostLogin},${hostLogin}@${host.name}`, `${key}.pub`]);
  await appendFile(join(world.folder, "hosts", host.name, "ca.pub"), await readFile(`${authority}.pub`));
  return startSshd(folder, [`HostKey ${join(folder, "host")}`, `TrustedUserCAKeys ${authority}.pub`]);
}

interface Places {
  readonly world: World;
  readonly host: Host;
  readonly jump: Sshd;
  readonly key: string;
  identity(person: BenchPerson): string;
}

function sshConfig({ world, host, jump, key }: Places): string {
  const [, gatewayPort] = world.ready.addresses.ssh?.split(/:(?=\d+$)/) ?? [];
  return `Host direct jumped
  HostName 127.0.0.1
  Port ${host.sshd.port}
Host jump
  HostName 127.0.0.1
  Port ${jump.port}
Host direct jumped jump jumped-gateway
  IdentityAgent none
  IdentityFile ${key}
Host jumped
  ProxyJump jump
Host jumped-gateway
  HostName web-1
  ProxyJump gateway
Host gateway
  HostName 127.0.0.1
  Port ${gatewayPort ?? ""}
  IdentityAgent none
  IdentityFile ${join(world.folder, "passed")}
Host *
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  IdentitiesOnly yes
${common}`;
}

/** What `tsh config` says to a person who has a login in a file. */
async function personConfig({ world, identity }: Places, person: BenchPerson): Promise<string> {
  const env = { ...process.env, TELEPORT_HOME: join(world.folder, `home-${person}`) };
  const { stdout } = await run(process.execPath, [tshPath, "config", `--identity=${identity(person)}`, `--proxy=${world.proxy}`], { env });
  return `${stdout}Host *\n${common}`;
}
