import { constants } from "node:fs";
import { access, lstat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Flags } from "@oclif/core";
import { stringify } from "yaml";
import { GatehouseError, escapeLine, parseDuration, systemClock, systemErrorCode } from "@gatehouse/core/base";
import { writeFileAtomic } from "@gatehouse/core/client";
import type { GatewayAccess, SetupProgress } from "@gatehouse/core/client/cluster-setup";
import { startSpinner } from "@gatehouse/core/client/terminal";
import { TctlCommand } from "../../command.ts";

const day = 24 * 3_600_000;
const shortLife = 90 * day;
const maxTimeout = 3_600_000;

function parseTimeout(text: string): number {
  let ms = 0;
  try {
    ms = parseDuration(text);
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
  }
  if (ms > 0 && ms <= maxTimeout) return ms;
  throw new GatehouseError("usage", `--timeout: "${escapeLine(text)}" is no duration of more than 0 and at most 1h`, { hint: "write it as 30s or 2m" });
}

/** A name that a cluster may have, near that of the context. */
const clusterNameOf = (context: string): string =>
  context.replace(/[^A-Za-z0-9._-]+/g, "-").slice(-31).replace(/^[._-]+|[._-]+$/g, "") || "cluster";

/** Sees, before anything is changed in the cluster, that the file can be written. */
async function checkOutput(path: string, overwrite: boolean): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
    const present = await lstat(path);
    if (!present.isFile()) throw new GatehouseError("bad_parameter", `--out: ${escapeLine(path)} is not a regular file`);
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    if (systemErrorCode(error) === "ENOENT" && (await access(dirname(path)).then(() => true, () => false))) return;
    throw new GatehouseError("bad_parameter", `--out: ${escapeLine(path)} cannot be written: ${systemErrorCode(error) ?? String(error)}`, { hint: "nothing was changed", cause: error });
  }
  if (!overwrite) throw new GatehouseError("already_exists", `${escapeLine(path)} exists, and nothing was changed`, { hint: "--force overwrites it, --out names another file" });
}

/** Flags for the way to a gateway, which people may have in an alias: nothing here speaks to one. */
const unused = { "data-dir": Flags.string({ hidden: true }), config: Flags.string({ char: "c", hidden: true }), proxy: Flags.string({ hidden: true }), identity: Flags.string({ char: "i", hidden: true }) };

/** `tctl kubeconfig create` */
export class KubeconfigCreate extends TctlCommand {
  static override summary = "Prepare a Kubernetes cluster for the gateway, and write the gateway's kubeconfig";
  static override description = `With your own credentials for the cluster: makes a namespace, a service account that may impersonate users and groups and nothing else, and a token for it.
What is there already from an earlier run stays as it is. No gateway has to run.`;
  static override examples = [
    "<%= config.bin %> kubeconfig create --context=prod --out=prod.kubeconfig",
    { description: "See what would be made, or have somebody else apply it", command: "<%= config.bin %> kubeconfig create --dry-run | kubectl apply -f -" },
  ];
  static override flags = {
    ...unused,
    context: Flags.string({ summary: "Context of your kubeconfig; the current one where left out", helpValue: "<context>" }),
    kubeconfig: Flags.string({ summary: "Your kubeconfig; what kubectl reads where left out", helpValue: "<file>" }),
    namespace: Flags.string({ summary: "Namespace of the service account", default: "gatehouse", helpValue: "<namespace>" }),
    name: Flags.string({ summary: "Name of the service account, the ClusterRole and its binding", default: "gatehouse-gateway", helpValue: "<name>" }),
    out: Flags.string({ summary: "Where to write the gateway's kubeconfig, - for standard output; <context>.kubeconfig where left out", helpValue: "<file>" }),
    force: Flags.boolean({ summary: "Overwrite that file" }),
    "dry-run": Flags.boolean({ summary: "Print the manifests, and touch nothing" }),
    timeout: Flags.string({ summary: "How long to wait for the cluster to make the token", default: "30s", helpValue: "<duration>" }),
  };

  /** Prints the manifests, or makes everything and writes the file. */
  async run(): Promise<void> {
    const { flags } = await this.parse(KubeconfigCreate);
    const timeout = parseTimeout(flags.timeout);
    // A large library, which no other command needs.
    const setup = await import("@gatehouse/core/client/cluster-setup");
    const names = { namespace: flags.namespace, name: flags.name };
    for (const [flag, value] of Object.entries(names)) {
      const problem = setup.setupNameProblem(value);
      if (problem !== undefined) throw new GatehouseError("usage", `--${flag}: "${escapeLine(value)}" ${problem}`);
    }
    if (flags["dry-run"]) {
      this.output.stdout.write(setup.manifestText(names));
      return;
    }
    const cluster = await setup.openAdminCluster(process.env, { kubeconfig: flags.kubeconfig, context: flags.context });
    const out = flags.out === "-" ? undefined : resolve(flags.out ?? `${clusterNameOf(cluster.context)}.kubeconfig`);
    if (out !== undefined) await checkOutput(out, flags.force);
    const access = await setup.createGatewayAccess(cluster, { ...names, timeout }, this.progress());
    if (out === undefined) this.output.stdout.write(access.kubeconfig);
    else {
      await writeFileAtomic(out, access.kubeconfig, 0o600);
      this.done(`wrote ${escapeLine(out)}: it holds the gateway's credentials, keep it to yourself`);
    }
    this.told(access, cluster.trust.insecure);
    if (out !== undefined) this.nextStep(clusterNameOf(cluster.context), out);
  }

  private progress(): SetupProgress {
    return {
      done: (what, how) => this.done(`${escapeLine(what)} ${how === "unchanged" ? "is there" : how}`),
      waiting: (what, limit) => {
        const spinner = startSpinner(this.output, what, limit);
        return () => spinner.stop();
      },
    };
  }

  private told({ tokenEnds }: GatewayAccess, insecure: boolean): void {
    const { stderr, style } = this.output;
    if (insecure) stderr.write(`  ${style.yellow("the kubeconfig says insecure-skip-tls-verify, as yours does:")} whoever stands between could take the gateway's credentials\n`);
    if (tokenEnds === undefined) return;
    const left = tokenEnds - systemClock.now();
    const end = new Date(tokenEnds).toISOString().slice(0, 10);
    stderr.write(`  the cluster puts no tokens into secrets, so one was asked for, and it ends: ${left < shortLife ? style.yellow(`on ${end}, in ${Math.floor(left / day)} days`) : `on ${end}`}; run this again with --force before\n`);
  }

  private nextStep(name: string, file: string): void {
    const config = stringify({ proxy_service: { kubernetes: { enabled: true, clusters: [{ name, kubeconfig_file: file }] } } }).replace("enabled: true", "enabled: yes");
    this.output.stderr.write(`\nnext: take it to the gateway's machine, and name it in teleport.yaml (the gateway sees later changes of the file by itself):\n\n${config.replace(/^(?=.)/gm, "  ")}`);
  }
}
