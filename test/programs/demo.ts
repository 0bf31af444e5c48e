import { access, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { delimiter, join } from "node:path";
import { startKubeApi } from "../stand-ins/kube-api.ts";
import type { Outcome } from "../support/process.ts";
import { createWorld, people, type Person, type World } from "../support/world.ts";

/** What `npm start` runs: a gateway, a GitHub login, kubectl through it, for real, each command shown with its output. */
async function main(): Promise<number> {
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  const given = process.env["KUBECONFIG"];
  say("Starting a gateway on loopback, with a stand-in GitHub and");
  const api = given === undefined || given === "" ? await startKubeApi() : undefined;
  say(api ? "a small stand-in for the Kubernetes API that enforces RBAC (set KUBECONFIG to use your own cluster)." : `the Kubernetes of KUBECONFIG=${String(given)}.`);
  const world = await startWorld(api?.kubeconfig ?? given);
  try {
    const failed = await walkThrough(world);
    if (failed !== undefined) {
      say(`\n✖ ${failed}`);
      return 1;
    }
    if (interactive) await stayUp(world);
    return 0;
  } finally {
    await world.close();
    await api?.close();
  }
}

async function startWorld(kubeconfig: string | undefined): Promise<World> {
  const file = kubeconfig?.includes("\n") === true ? await temporary(kubeconfig) : kubeconfig;
  // kubectl's list of files: the gateway takes the first, as kubectl takes its current context.
  const first = file?.split(delimiter).find((part) => part !== "");
  return createWorld({ kubeconfig: first, users: people });
}

async function temporary(text: string): Promise<string> {
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const path = join(await mkdtemp(join(tmpdir(), "gatehouse-kube-")), "kubeconfig");
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

/** Runs the main job; returns what failed, or undefined. */
async function walkThrough(world: World): Promise<string | undefined> {
  const ana = await world.person("ana");
  show(`tsh login --proxy=${world.proxy} --auth=github`, await ana.logIn());
  show("tsh status", await ana.tsh(["status"]));
  if (!(await onPath("kubectl"))) {
    say("\nkubectl is not on this machine; the same request, made with the certificate that its plugin would get:");
    return (await plainRequest(ana)) === 200 ? undefined : "the request through the gateway was refused";
  }
  const pods = await ana.kubectl(["get", "pods"]);
  show("kubectl get pods", pods);
  if (pods.code !== 0) return "kubectl could not list pods through the gateway: in your own cluster, bind the group developers to a role that may";
  const names = await ana.kubectl(["get", "pods", "-o", "name", "--field-selector=status.phase=Running"]);
  const [pod] = names.stdout.split("\n");
  if (pod !== undefined && pod !== "") {
    const exec = await ana.kubectl(["exec", pod, "--", "echo", "hello from the pod"]);
    show(`kubectl exec ${pod} -- echo "hello from the pod"`, exec);
    if (exec.code !== 0) return "kubectl exec through the gateway failed";
  }
  const bo = await world.person("bo");
  await bo.logIn();
  show("kubectl auth can-i create pods --subresource=exec   # as bo, of team viewers", await bo.kubectl(["auth", "can-i", "create", "pods", "--subresource=exec"]));
  const events = await world.events();
  say(`\nThe audit log has ${events.length} events; the last is`);
  say(`  ${JSON.stringify(events.at(-1))}`);
  return undefined;
}

async function stayUp(world: World): Promise<void> {
  const ana = await world.person("ana");
  say("\nThe gateway stays up until Ctrl-C. In another terminal, in this folder, try:");
  say(`  export TELEPORT_HOME=${join(ana.home, ".tsh")} KUBECONFIG=${ana.kubeconfig}`);
  say("  npx tsh status");
  say("  kubectl get pods -w");
  say(`  npx tctl --data-dir=${world.dataDir} get roles/access > access.yaml   # edit it, then: npx tctl … create -f access.yaml`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}

/** `GET` of the default namespace's pods as kubectl would send it. Returns the status. */
async function plainRequest(person: Person): Promise<number> {
  const status = await person.tsh(["status", "--format=json"]);
  const credentials = await person.tsh(["kube", "credentials"]);
  if (credentials.code !== 0) throw new Error(`tsh kube credentials: ${credentials.stderr}`);
  const { parse } = await import("yaml");
  const { readFile } = await import("node:fs/promises");
  const kubeconfig = parse(await readFile(person.kubeconfig, "utf8")) as {
    clusters: { cluster: { server: string; "certificate-authority-data": string; "tls-server-name"?: string } }[];
  };
  const cluster = kubeconfig.clusters[0]?.cluster;
  if (!cluster) throw new Error(`no cluster in ${person.kubeconfig}: ${status.stdout}`);
  const { status: held } = JSON.parse(credentials.stdout) as { status: { clientCertificateData: string; clientKeyData: string } };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${cluster.server}/api/v1/namespaces/default/pods`,
      {
        cert: held.clientCertificateData,
        key: held.clientKeyData,
        ca: Buffer.from(cluster["certificate-authority-data"], "base64"),
        servername: cluster["tls-server-name"],
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        response.on("end", () => {
          const list = JSON.parse(body) as { items?: { metadata: { name: string } }[]; message?: string };
          say(list.items?.map((item) => `  pod/${item.metadata.name}`).join("\n") ?? `  ${String(list.message)}`);
          resolve(response.statusCode ?? 0);
        });
      },
    );
    sent.once("error", reject).end();
  });
}

async function onPath(command: string): Promise<boolean> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (await access(join(folder, command)).then(() => true, () => false)) return true;
  }
  return false;
}

function show(command: string, outcome: Outcome): void {
  say(`\n$ ${command}`);
  for (const text of [outcome.stderr, outcome.stdout]) if (text.trim() !== "") say(text.trimEnd().replace(/^/gm, "  "));
  if (outcome.code !== 0) say(`  (exit code ${String(outcome.code)})`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main();
