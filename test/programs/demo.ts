import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parse } from "yaml";
import { startKubeApi } from "../stand-ins/kube-api.ts";
import { NotSaid, endCommands, type Outcome } from "../support/process.ts";
import { createWorld, people, type Person, type World } from "../support/world.ts";

/** The main job could not be done; the message is for the person who typed `npm start`. */
class Failed extends Error {}

/** What `npm start` runs: a gateway, a GitHub login, kubectl through it, for real, each command shown with its output. */
async function main(): Promise<void> {
  const stopped = untilStopped();
  const given = process.env["KUBECONFIG"] ?? "";
  say("Starting a gateway on loopback, with a stand-in GitHub and");
  say(given === "" ? "a small stand-in for the Kubernetes API that enforces RBAC (set KUBECONFIG to use your own cluster)." : `the Kubernetes of KUBECONFIG=${given}.`);
  const cluster = given === "" ? await standIn() : { kubeconfig: await firstThere(given), close: () => Promise.resolve() };
  try {
    const world = await createWorld({ kubeconfig: cluster.kubeconfig, users: people }).catch((error: unknown) => {
      throw new Failed(`the gateway did not start:\n${explain(error)}`);
    });
    try {
      await Promise.race([walkThrough(world).then(() => (process.stdin.isTTY && process.stdout.isTTY ? stayUp(world, stopped) : undefined)), stopped]);
    } finally {
      await endCommands();
      await world.close();
    }
  } finally {
    await cluster.close();
  }
}

/** Resolves when this should end: told by a signal, or because nobody reads what it says. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    process.stdout.on("error", () => resolve());
  });
}

async function standIn(): Promise<{ readonly kubeconfig: string; close(): Promise<void> }> {
  const api = await startKubeApi();
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-kube-"));
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig, { mode: 0o600 });
  return {
    kubeconfig,
    async close() {
      await api.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Of kubectl's list of files, the first that exists: the gateway takes one. */
async function firstThere(list: string): Promise<string> {
  for (const file of list.split(delimiter)) if (file !== "" && (await isThere(file))) return file;
  throw new Failed(`there is no file ${list}: set KUBECONFIG to one that is there, or unset it to try without a cluster of your own`);
}

/** What the gateway said of why it does not start, without the rest. */
function explain(error: unknown): string {
  if (!(error instanceof NotSaid)) return error instanceof Error ? error.message : String(error);
  const at = error.stderr.indexOf("✖");
  return (at < 0 ? error.stderr : error.stderr.slice(at)).trimEnd().replace(/^/gm, "  ");
}

/** Runs the main job. Throws {@link Failed}. */
async function walkThrough(world: World): Promise<void> {
  const ana = await world.person("ana");
  show(`tsh ${ana.loginArgs.join(" ")}`, await ana.tsh(ana.loginArgs));
  show("tsh status", await ana.tsh(["status"]));
  if (await onPath("kubectl")) await useKubectl(world, ana);
  else {
    say("\nkubectl is not on this machine; the same request, made with the certificate that its plugin would get:");
    if ((await plainRequest(ana)) !== 200) throw new Failed("the request through the gateway was refused");
  }
  const events = await world.events();
  say(`\nThe audit log has ${events.length} events; the last is`);
  say(`  ${JSON.stringify(events.at(-1))}`);
}

async function useKubectl(world: World, ana: Person): Promise<void> {
  const pods = await ana.kubectl(["get", "pods"]);
  show("kubectl get pods", pods);
  if (pods.code !== 0) {
    throw new Failed(
      pods.stderr.includes("(Forbidden)")
        ? "kubectl could not list pods through the gateway: in your own cluster, bind the group developers to a role that may"
        : "the Kubernetes of KUBECONFIG does not answer (see above): check it with kubectl get --raw /readyz",
    );
  }
  const names = await ana.kubectl(["get", "pods", "-o", "name", "--field-selector=status.phase=Running"]);
  const [pod] = names.stdout.split("\n");
  if (pod !== undefined && pod !== "") {
    const exec = await ana.kubectl(["exec", pod, "--", "echo", "hello from the pod"]);
    show(`kubectl exec ${pod} -- echo "hello from the pod"`, exec);
    if (exec.code !== 0) throw new Failed("kubectl exec through the gateway failed");
  }
  const bo = await world.person("bo");
  await bo.logIn();
  const may = await bo.kubectl(["auth", "can-i", "create", "pods", "--subresource=exec"]);
  show("kubectl auth can-i create pods --subresource=exec   # as bo, of team viewers", { ...may, code: 0 });
}

async function stayUp(world: World, stopped: Promise<void>): Promise<void> {
  const ana = await world.person("ana");
  say("\nThe gateway stays up until Ctrl-C. In another terminal, in this folder, try:");
  say(`  export TELEPORT_HOME=${join(ana.home, ".tsh")} KUBECONFIG=${ana.kubeconfig}`);
  say("  npx tsh status");
  say("  kubectl get pods -w");
  say("and as its administrator:");
  say(`  npx tctl --data-dir=${world.dataDir} get roles/access > access.yaml`);
  say(`  npx tctl --data-dir=${world.dataDir} create -f access.yaml`);
  await stopped;
}

/** `GET` of the default namespace's pods as kubectl would send it. Returns the status. */
async function plainRequest(person: Person): Promise<number> {
  const credentials = await person.tsh(["kube", "credentials"]);
  if (credentials.code !== 0) throw new Error(`tsh kube credentials: ${credentials.stderr}`);
  const kubeconfig = parse(await readFile(person.kubeconfig, "utf8")) as {
    "current-context"?: string;
    clusters: { name: string; cluster: { server: string; "certificate-authority-data": string; "tls-server-name"?: string } }[];
  };
  const current = kubeconfig["current-context"];
  const cluster = kubeconfig.clusters.find(({ name }) => name === current)?.cluster;
  if (!cluster) throw new Error(`no cluster in ${person.kubeconfig}`);
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
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) if (await isThere(join(folder, command))) return true;
  return false;
}

const isThere = (path: string): Promise<boolean> => access(path).then(() => true, () => false);

function show(command: string, outcome: Outcome): void {
  say(`\n$ ${command}`);
  for (const text of [outcome.stderr, outcome.stdout]) if (text.trim() !== "") say(text.trimEnd().replace(/^/gm, "  "));
  if (outcome.code !== 0) say(`  (exit code ${String(outcome.code)})`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\n✖ ${error instanceof Failed ? error.message : explain(error)}\n`);
  process.exitCode = 1;
}
// A reader of standard output that went away, or a command under way when the signal came, does not hold the process.
process.exit();
