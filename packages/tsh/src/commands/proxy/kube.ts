import { join, resolve } from "node:path";
import { Flags, type Interfaces } from "@oclif/core";
import { openLoginSource, startKubeProxy, type KubeProxy, type LoginSource } from "@gatehouse/agent/kube-proxy";
import { GatehouseError, escapeLine, systemClock, systemRandom } from "@gatehouse/core/base";
import { connectAdmin, readAccount } from "@gatehouse/core/client";
import { chosenIdentity, clientHome } from "@gatehouse/core/client/lean";
import { AgentPlaceRefused, agentPlace, makeAgentDirectory } from "@gatehouse/core/client/local-agent";
import { formatData, hasTerminalDevice } from "@gatehouse/core/client/terminal";
import { AgentCommand } from "../../agent-command.ts";
import { runInFront } from "../../child.ts";
import { loginFlags } from "../../command.ts";
import { chooseClusters, type ChosenClusters } from "../../kube-proxy/choose.ts";
import { exportLine, startTable, type RequestTable } from "../../kube-proxy/table.ts";
import { loginOnTerminal } from "../../login-on-terminal.ts";
import { listenAlone } from "../../signals.ts";
import { listNames } from "../../text.ts";

const own = {
  ...loginFlags,
  all: Flags.boolean({ summary: "Every cluster that you may use" }),
  exec: Flags.boolean({ summary: "Run a shell, or the command behind --, with KUBECONFIG set, and end with it" }),
  port: Flags.integer({ summary: "Port of 127.0.0.1; a free one unless given", min: 1, max: 65_535, exclusive: ["listen-unix"] }),
  "listen-unix": Flags.string({ summary: "Serve plain HTTP on a socket instead of a port", helpValue: "<path>" }),
  namespace: Flags.string({ char: "n", summary: "Namespace of the contexts; as in your kubeconfig unless given", helpValue: "<name>" }),
  format: Flags.option({ options: ["text", "json", "yaml", "env"] as const, default: "text" as const, summary: "How to print where it is; env is a line for a shell" })(),
};

type KubeFlags = Interfaces.InferredFlags<typeof own>;

/** `tsh proxy kube` */
export class ProxyKube extends AgentCommand {
  static override summary = "Serve Kubernetes clusters here, for tools that cannot run plugins or run too often";
  static override description = `Listens on 127.0.0.1 with a certificate of its own and writes a kubeconfig for it, which holds the only key that is let in; both are gone when it ends. Connections to
the gateway are kept and shared. Where the login ends it asks for a new one on the terminal, or answers with what to run; once there is one, requests succeed again.
Without a cluster it serves the one that kubectl talks to.`;
  static override usage = "proxy kube [CLUSTER...] [FLAGS] [--exec [-- COMMAND...]]";
  static override examples = [
    "<%= config.bin %> proxy kube staging",
    { description: "A shell, or one command, with the kubeconfig set", command: "<%= config.bin %> proxy kube --all --exec -- k9s" },
    { description: "For a script", command: "<%= config.bin %> proxy kube staging --exec -- sh -c 'xargs -P 40 -n1 kubectl get pod < names'" },
  ];
  static override strict = false;
  static override flags = own;

  /** Serves until it is told to stop, or the command has ended. */
  async run(): Promise<void> {
    const at = this.argv.indexOf("--");
    const command = at < 0 ? [] : this.argv.slice(at + 1);
    const { argv, flags } = await this.parse(ProxyKube, at < 0 ? this.argv : this.argv.slice(0, at));
    this.check(flags, argv.length, at >= 0);
    const runs = await privatePlace();
    this.wakeAgent(flags.identity);
    let table: RequestTable | undefined;
    let started = false;
    const login = await openLoginSource({
      env: process.env,
      clock: systemClock,
      proxy: flags.proxy,
      identity: chosenIdentity(process.env, flags.identity),
      // Once a command runs the terminal is its own.
      mayAsk: async () => process.stderr.isTTY && !(flags.exec && started) && (await hasTerminalDevice()),
      login: async (proxy, auth) => {
        table?.pause();
        try {
          await loginOnTerminal(proxy, auth);
        } finally {
          table?.resume();
        }
      },
      notice: (line) => {
        table?.pause();
        this.output.stderr.write(line);
        table?.resume();
      },
    });
    const { proxy, chosen } = await this.start(login, runs, flags, argv.map(String));
    started = true;
    try {
      if (flags.exec) {
        process.exitCode = await this.runCommand(proxy, command);
        return;
      }
      // Before anybody reads that it is ready: who is told so may stop it at once.
      const stopped = untilStopped();
      await this.told(proxy, chosen, flags.format);
      if (this.hasTable(flags.format)) table = startTable(proxy.requests, process.stderr, { several: proxy.clusters.length > 1, style: this.output.style, now: () => systemClock.now() });
      await stopped;
    } finally {
      table?.stop();
      await proxy.close();
    }
  }

  private check(flags: KubeFlags, names: number, hasCommand: boolean): void {
    if (flags.all && names > 0) throw new GatehouseError("usage", "either --all or names of clusters, not both");
    if (hasCommand && !flags.exec) throw new GatehouseError("usage", "a command behind -- is for --exec", { hint: "tsh proxy kube --exec -- kubectl get pods" });
    if (flags.exec && flags["listen-unix"] !== undefined) throw new GatehouseError("usage", "--exec and --listen-unix exclude each other", { hint: "no kubeconfig can name a socket" });
    if (flags.exec && flags.format !== "text") throw new GatehouseError("usage", "--exec prints nothing that --format could be for");
    if (flags["listen-unix"] !== undefined && flags.format === "env") throw new GatehouseError("usage", "--format=env and --listen-unix exclude each other", { hint: "no kubeconfig can name a socket" });
    if (flags.namespace !== undefined && flags["listen-unix"] !== undefined) throw new GatehouseError("usage", "--namespace and --listen-unix exclude each other", { hint: "on a socket the client says the namespace" });
  }

  private async start(login: LoginSource, runs: string, flags: KubeFlags, names: readonly string[]): Promise<{ readonly proxy: KubeProxy; readonly chosen: ChosenClusters }> {
    const record = await login.current();
    const account = await readAccount(connectAdmin(record), record, undefined);
    if (account.kubeAddress === undefined) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
    const chosen = await chooseClusters(process.env, record, account, { names, all: flags.all, namespace: flags.namespace });
    const socket = flags["listen-unix"];
    const proxy = await startKubeProxy({
      ...chosen,
      gateway: account.kubeAddress,
      login,
      listen: socket === undefined ? { port: flags.port ?? 0 } : { socket: resolve(socket) },
      runs,
      clock: systemClock,
      random: systemRandom,
    });
    return { proxy, chosen };
  }

  private hasTable(format: KubeFlags["format"]): boolean {
    return format === "text" && process.stdout.isTTY && this.output.animated;
  }

  private async runCommand(proxy: KubeProxy, [program, ...args]: readonly string[]): Promise<number> {
    const shell = (process.platform === "win32" ? process.env["ComSpec"] : process.env["SHELL"]) ?? (process.platform === "win32" ? "cmd.exe" : "/bin/sh");
    if (program === undefined && process.stderr.isTTY) this.output.stderr.write(`${this.describe(proxy)} in this shell; exit ends it\n`);
    return runInFront(program ?? shell, args, program ?? shell, { env: { ...process.env, KUBECONFIG: proxy.kubeconfig } });
  }

  private describe(proxy: KubeProxy): string {
    return `${this.output.style.green("✔")} ${listNames(proxy.clusters.map(({ name }) => escapeLine(name)))} on ${escapeLine(proxy.address)}`;
  }

  private async told(proxy: KubeProxy, { selected }: ChosenClusters, format: KubeFlags["format"]): Promise<void> {
    const { stdout, stderr } = this.output;
    const { address, kubeconfig } = proxy;
    if (format === "json" || format === "yaml") {
      const clusters = proxy.clusters.map(({ name, context, namespace, server }) => ({ name, ...(kubeconfig === undefined ? { path: server } : { context, namespace, server }) }));
      stdout.write(await formatData(kubeconfig === undefined ? { socket: address, clusters } : { address, kubeconfig, current_context: selected, clusters }, format));
      return;
    }
    if (this.hasTable(format)) stderr.write(`${this.describe(proxy)}; in another terminal:\n`);
    if (kubeconfig !== undefined) stdout.write(exportLine("KUBECONFIG", kubeconfig));
    else for (const { server } of proxy.clusters) stdout.write(`curl --unix-socket ${escapeLine(address)} http://localhost${server}/version\n`);
    if (this.hasTable(format)) stderr.write("\n");
  }
}

/** Where kubeconfigs of running proxies are. Throws `access_denied` where others reach it: who could put another file in the place of ours would be taken for the gateway. */
async function privatePlace(): Promise<string> {
  const { directory } = agentPlace(process.env, clientHome(process.env));
  try {
    await makeAgentDirectory(directory);
  } catch (error) {
    if (!(error instanceof AgentPlaceRefused)) throw error;
    throw new GatehouseError(error.code, `the proxy's kubeconfig has no safe place: ${error.path} ${error.why}`, { hint: error.hint, cause: error });
  }
  return join(directory, "kube");
}

/** Waits for Ctrl-C, or whoever else ends this; a second one ends it at once. */
function untilStopped(): Promise<void> {
  return new Promise((stopped) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      let isSecond = false;
      listenAlone(signal, () => {
        if (isSecond) process.exit(130);
        isSecond = true;
        stopped();
      });
    }
  });
}
