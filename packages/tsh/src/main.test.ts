import { fileURLToPath } from "node:url";
import { build, type BuildOptions, type Metafile } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { loadedWith, notAmong } from "@gatehouse/core/testing";
import { leanOptions, mainOptions, startOptions } from "../../../scripts/bundle.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let start: Metafile;
let second: Metafile;
let main: Metafile;

beforeAll(async () => {
  const metafileOf = async (options: BuildOptions): Promise<Metafile> => (await build({ ...options, metafile: true, write: false })).metafile;
  [start, second, main] = await Promise.all([metafileOf(startOptions(root, "tsh")), metafileOf(leanOptions(root, "tsh")), metafileOf(mainOptions(root, "tsh"))]);
}, 120_000);

/** What kubectl and scripts wait for. A module comes in here when it must. */
const lean = [
  "packages/tsh/src/{lean,version,credentials,credentials-flags,write-out}",
  "packages/core/src/base/{clock,duration,errors,index,random,sync-directory,text,version}",
  "packages/core/src/client/lean/{agent-login,compile-cache,credentials,dbus,dbus-message,exec-info,files,home,identity-file,keychain,keystore,lock,logins,memory-keystore,obtain-login,process,profile-head,record,refusals,secret-service,split-keystore,target}",
  "packages/core/src/client/local-agent/{ask,locked,pipe-proof,place,protocol,read-line}",
  "packages/core/src/client/terminal/{device}",
  ...["fs", "path"].map((name) => `node:${name}`),
  ...["crypto", "fs/promises", "module", "net", "os", "tty"].map((name) => `lazy-builtin:node:${name}`),
];

/** What ssh waits for, once a command's first file is loaded. */
const proxySsh = [
  ...lean.map((entry) => entry.replace("lazy-builtin:", "")),
  "packages/tsh/src/{main,proxy-ssh}",
  "packages/core/src/client/main/{hidden,report}",
  "fastest-levenshtein/mod.js",
  "packages/core/src/client/lean/{held-credentials}",
  "packages/core/src/base/{gate,nearest,labels,limits,rate-limit}",
  "packages/core/src/api/{names,refusal,ssh}",
  "packages/core/src/client/{network-errors}",
  "packages/core/src/client/lean/{own-folder}",
  "packages/core/src/client/local-agent/{node-flags}",
  "packages/core/src/client/ssh/{agent-config-block,choose-hosts,config-block,config-file,connect-host,file-place,known-hosts,pump,run-folder,target}",
  "packages/core/src/client/ssh/agent/{bindings,clients,converse,dialogue,held-keys,shared-path,socket,upstream}",
  "packages/core/src/formats/{agent-frames,agent-protocol,bytes,ssh-cert,ssh-keys,ssh-signature,ssh-wire}",
  "node:events",
  "node:https",
];

/** What people wait for who ask where they are logged in: YAML beside what kubectl waits for, since profiles and kubeconfig are YAML. */
const status = [
  ...lean.map((entry) => entry.replace("lazy-builtin:", "")),
  "packages/tsh/src/{main,logins,program,status,status-text,text,wake-agent}",
  "packages/agent/src/start/{build,ensure,environment,stop}",
  "fastest-levenshtein/mod.js",
  "packages/core/src/client/lean/{held-credentials}",
  "packages/core/src/base/{gate,nearest,labels,limits,rate-limit}",
  "packages/core/src/client/main/{hidden,report}",
  "packages/core/src/client/{kept-logins,profile,profiles,stored-login}",
  "packages/core/src/client/kubeconfig/{entries,files,text,update}",
  "packages/core/src/client/lean/{own-folder}",
  "packages/core/src/client/local-agent/{node-flags}",
  "packages/core/src/client/terminal/{data,errors,output,play-filter,play-sequences,spinner,table,thrown,time}",
  ...["node:child_process", "node:util", "buffer", "process"],
];

/** What the agent holds all day beside its own parts. */
const agentRun = [
  ...proxySsh,
  "packages/tsh/src/{agent-run}",
  "packages/core/src/client/desktop/{notifications}",
  "packages/core/src/formats/{agent-constraints,agent-keys,agent-userauth,cidr,der,der-write,ssh-cert-verify}",
];

/** What kubectl waits for where the local agent has the login, and what every other command begins with. */
const held = [
  "packages/tsh/src/{start,credentials-flags,write-out}",
  "packages/core/src/base/{clock,errors,index,random,text}",
  "packages/core/src/client/lean/{agent-login,exec-info,files,held-credentials,home,profile-head,record,target}",
  "packages/core/src/client/local-agent/{ask,locked,pipe-proof,place,protocol,read-line}",
  ...["fs", "path"].map((name) => `node:${name}`),
  ...["crypto", "fs/promises", "net", "os"].map((name) => `lazy-builtin:node:${name}`),
  // By require() in a function: what it goes on in where that was not enough.
  "./lean.cjs",
];

describe("what is loaded", () => {
  it("for tsh kube credentials where an agent has the login: one small file", () => {
    const modules = loadedWith(start, ["packages/tsh/src/start.ts"]);
    expect(modules).toContain("packages/core/src/client/lean/held-credentials.ts");
    expect(notAmong(modules, held)).toEqual([]);
    expect(Object.keys(start.outputs)).toEqual(["packages/tsh/dist/start.cjs"]);
  });

  it("for tsh version and tsh kube credentials: one file, with no command framework, schema, YAML or Kubernetes library in it, and no module of Node that is not used", () => {
    const modules = loadedWith(second, ["packages/tsh/src/lean.ts"]);
    expect(modules).toEqual(expect.arrayContaining(["packages/core/src/client/lean/credentials.ts", "packages/tsh/src/version.ts"]));
    expect(notAmong(modules, lean)).toEqual([]);
    expect(Object.keys(second.outputs)).toEqual(["packages/tsh/dist/lean.cjs"]);
  });

  it("for tsh proxy ssh: the agent and one connection, and nothing that reads configuration or speaks SSH", () => {
    const modules = loadedWith(main, ["packages/tsh/src/main.ts", "packages/tsh/src/proxy-ssh.ts"]);
    expect(modules).toEqual(expect.arrayContaining(["packages/core/src/client/ssh/connect-host.ts", "packages/core/src/client/ssh/agent/socket.ts"]));
    expect(notAmong(modules, proxySsh)).toEqual([]);
  });

  it("for what a shell waits for: no command, no schema, no network", () => {
    const modules = loadedWith(main, ["packages/tsh/src/main.ts", "packages/tsh/src/completion/complete.ts"]);
    expect(modules).toContain("packages/core/src/client/completion/walk.ts");
    expect(modules.filter((module) => /@oclif|\/zod|\/yaml[@/]|undici|chalk|node:https|src\/commands|client\/(?!lean|completion|local-agent|main)/.test(module))).toEqual([]);
  });

  it("for tsh status: no command framework, no schema and no network, but YAML", () => {
    const modules = loadedWith(main, ["packages/tsh/src/main.ts", "packages/tsh/src/status.ts"]);
    expect(modules).toContain("packages/core/src/client/stored-login.ts");
    const yaml = /^node_modules\/\.pnpm\/.*\/node_modules\/yaml\//;
    expect(notAmong(modules.filter((module) => !yaml.test(module)), status)).toEqual([]);
  });

  it("for tsh agent run, which stays in memory: its own parts, and no package, schema, YAML, terminal or client that it does not need all day", () => {
    const modules = loadedWith(main, ["packages/tsh/src/main.ts", "packages/tsh/src/agent-run.ts"]);
    expect(modules).toContain("packages/agent/src/daemon/run.ts");
    const parts = /^packages\/agent\/src\/(?:(?:control|daemon|lock|logins|notify|ssh|start)\/[\w-]+|settings\/(?:change|live|settings)|take-over)\.ts$/;
    const rest = modules.filter((module) => !parts.test(module) && !/^node:(?:child_process|timers\/promises|util)$/.test(module));
    expect(notAmong(rest, agentRun)).toEqual([]);
  });

  it("for tsh ssh, scp, sftp and config: ssh2 where there is no OpenSSH alone", () => {
    const commands = ["ssh", "scp", "sftp", "config"].map((name) => `packages/tsh/src/commands/${name}.ts`);
    expect(loadedWith(main, ["packages/tsh/src/main.ts", ...commands]).filter((module) => /ssh2|own-ssh/.test(module))).toEqual([]);
  });

  it("for any client command: no room of the server", () => {
    const commands = Object.keys(main.inputs).filter((path) => path.startsWith("packages/tsh/src/commands/") && !path.endsWith("/proxy.ts"));
    expect(commands.length).toBeGreaterThan(6);
    const modules = loadedWith(main, ["packages/tsh/src/main.ts", "packages/core/src/client/login.ts", ...commands]);
    expect(modules.filter((module) => /core\/src\/(config|store|ca|audit|connectors|auth|proxy)\//.test(module))).toEqual([]);
  });
});
