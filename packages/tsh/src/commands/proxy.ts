import { Flags } from "@oclif/core";
import { BaseCommand, durationFlag } from "@gatehouse/core/client/command";

/** `tsh proxy` */
export class Proxy extends BaseCommand {
  static override summary = "Run the gateway";
  static override description = `Serves the web API, the admin API, the SSH proxy and the Kubernetes proxy until SIGTERM or Ctrl-C, which let what is under way end first. Flags win over the file.
Readiness is printed on standard output, the log goes to standard error unless the file says otherwise.`;
  static override examples = [
    { description: "With a configuration file", command: "<%= config.bin %> proxy -c /etc/teleport.yaml" },
    {
      description: "On loopback, to try it",
      command: "<%= config.bin %> proxy --data-dir=./data --web-listen-addr=127.0.0.1:3080 --admin-listen-addr=127.0.0.1:3025",
    },
  ];
  static override flags = {
    config: Flags.string({ char: "c", summary: "Configuration; /etc/teleport.yaml where there is one", env: "TELEPORT_CONFIG_FILE", helpValue: "<teleport.yaml>" }),
    "data-dir": Flags.string({ summary: "Where state is kept", helpValue: "<dir>" }),
    "cluster-name": Flags.string({ summary: "Name of the cluster; fixed at the first start", helpValue: "<name>" }),
    "web-listen-addr": Flags.string({ summary: "Web, and everything else by server name", helpValue: "<host:port>" }),
    "admin-listen-addr": Flags.string({ summary: "Admin API", helpValue: "<host:port>" }),
    "kube-listen-addr": Flags.string({ summary: "Kubernetes proxy", helpValue: "<host:port>" }),
    "ssh-listen-addr": Flags.string({ summary: "SSH proxy; beside the web listener unless given", helpValue: "<host:port>" }),
    "diag-addr": Flags.string({ summary: "Health and metrics; off unless given", helpValue: "<host:port>" }),
    "public-addr": Flags.string({ summary: "How people reach the web listener", helpValue: "<host:port>" }),
    "kube-public-addr": Flags.string({ summary: "How people reach the Kubernetes proxy", helpValue: "<host:port>" }),
    "ssh-public-addr": Flags.string({ summary: "How people reach the SSH proxy", helpValue: "<host:port>" }),
    "kubeconfig-file": Flags.string({ summary: "Turns the Kubernetes proxy on, with these credentials", helpValue: "<file>" }),
    "log-level": Flags.string({ summary: "debug, info, warn or error", helpValue: "<level>" }),
    "drain-timeout": Flags.string({ summary: "How long a stop waits for what is under way", default: "10s", helpValue: "<duration>" }),
    format: Flags.option({ options: ["text", "json"] as const, default: "text" as const, summary: "How to print readiness; json is one line" })(),
  };

  /** Runs until told to stop. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Proxy);
    const drainMs = durationFlag("--drain-timeout", flags["drain-timeout"]);
    const { processSignals, runGateway } = await import("../gateway/index.ts");
    const code = await runGateway(
      {
        config: flags.config,
        dataDir: flags["data-dir"],
        clusterName: flags["cluster-name"],
        webListenAddr: flags["web-listen-addr"],
        adminListenAddr: flags["admin-listen-addr"],
        kubeListenAddr: flags["kube-listen-addr"],
        sshListenAddr: flags["ssh-listen-addr"],
        sshPublicAddr: flags["ssh-public-addr"],
        diagListenAddr: flags["diag-addr"],
        publicAddr: flags["public-addr"],
        kubePublicAddr: flags["kube-public-addr"],
        kubeconfigFile: flags["kubeconfig-file"],
        logSeverity: flags["log-level"],
        format: flags.format,
        drainMs,
      },
      { output: this.output, onSignal: processSignals() },
    );
    // A hurried stop leaves connections behind that would hold the process.
    if (code !== 0) process.exit(code);
  }
}
