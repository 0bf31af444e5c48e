import { Args, Flags } from "@oclif/core";
import { GatehouseError, escapeLine, readAll, systemClock, systemRandom } from "@gatehouse/core/base";
import { chosenProxy, clientHome, login, parsePin, type LoginResult } from "@gatehouse/core/client";
import { formatData, formatFields, type Prompter } from "@gatehouse/core/client/terminal";
import { BaseCommand, durationFlag, formatFlag, withPrompter } from "@gatehouse/core/client/command";
import { proxyFlag } from "../command.ts";
import { runningProgram } from "../program.ts";
import { describeValidity, listNames, noGroups, shortProxy } from "../text.ts";

const maxPassword = 4096;

/** v3 counts `--ttl` in minutes; a duration says its units. */
function parseTtl(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 60_000 : durationFlag("--ttl", text);
}

async function passwordFromStdin(): Promise<string> {
  const text = (await readAll(process.stdin, maxPassword, "the password on standard input")).toString("utf8");
  return text.replace(/\r?\n$/, "");
}

/** `tsh login` */
export class Login extends BaseCommand {
  static override summary = "Log in to a gateway and point kubectl at it";
  static override description = `Opens your browser (the link is printed first), waits at most three minutes, keeps key and certificates in the system's keychain, and adds the
Kubernetes clusters that you may use to kubeconfig. kubectl's current context changes only where none is selected, or one of ours.`;
  static override examples = [
    { description: "Log in with GitHub", command: "<%= config.bin %> login --proxy=teleport.example.com --auth=github" },
    { description: "The first time, with a gateway that no public authority vouches for", command: "<%= config.bin %> login --proxy=teleport.example.com --ca-pin=sha256:…" },
    { description: "With a local account", command: "<%= config.bin %> login --proxy=teleport.example.com --auth=local --user=alice" },
    { description: "On a machine whose browser is started by hand", command: "<%= config.bin %> login --browser=none --bind-addr=127.0.0.1:4000" },
  ];
  static override args = { stray: Args.string({ ignoreStdin: true, hidden: true }) };
  static override flags = {
    ...proxyFlag,
    ...formatFlag,
    auth: Flags.string({ summary: "Connector to log in with, or local; the gateway's own choice where left out", helpValue: "<name>" }),
    user: Flags.string({ summary: "Name of a local account", helpValue: "<name>" }),
    "password-stdin": Flags.boolean({ summary: "Read the password of a local account from standard input" }),
    ttl: Flags.string({ summary: "How long the login shall last: 12h, 1h30m, or minutes", helpValue: "<duration>" }),
    "ca-pin": Flags.string({ summary: "Pin of the gateway's authority, which it prints at start", helpValue: "sha256:<hex>" }),
    browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }),
    "bind-addr": Flags.string({ summary: "Loopback address to wait for the browser at", helpValue: "<host:port>", env: "TELEPORT_LOGIN_BIND_ADDR" }),
    keystore: Flags.option({ options: ["keychain", "file"] as const, summary: "Where to keep the key; a file only where no keychain service exists, unless asked for" })(),
    embed: Flags.boolean({ summary: "Write key and certificate into kubeconfig itself, for tools that cannot run plugins" }),
  };

  /** Logs in and prints who that is. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Login);
    if (args.stray !== undefined && args.stray !== "login") throw new GatehouseError("usage", `tsh login takes no argument "${escapeLine(args.stray)}"`, { hint: "tsh login --help" });
    if (args.stray === "login") this.output.stderr.write("Note: the word login at the end is not needed.\n");
    const result = await withPrompter(async (prompter) => {
      const proxy = await this.gateway(flags.proxy, prompter);
      return login(
        {
          proxy,
          auth: flags.auth,
          user: flags.user,
          password: (user) => this.password(user, flags["password-stdin"], prompter),
          otp: prompter && (() => prompter.password("One-time code:")),
          ttl: flags.ttl === undefined ? undefined : parseTtl(flags.ttl),
          caPin: flags["ca-pin"] === undefined ? undefined : parsePin(flags["ca-pin"]),
          browser: flags.browser,
          bindAddress: flags["bind-addr"],
          keystore: flags.keystore,
          embed: flags.embed,
        },
        { env: process.env, clock: systemClock, random: systemRandom, output: this.output, prompter, program: runningProgram() },
      );
    });
    this.output.stderr.write(`\n${this.output.style.green("✔")} logged in as ${this.output.style.bold(escapeLine(result.record.username))}  (${escapeLine(result.authType)}, ${shortProxy(result.record.proxy)})\n`);
    if (flags.format === "text") this.output.stderr.write(describeLogin(result, systemClock.now()));
    else this.output.stdout.write(await formatData(loginData(result), flags.format));
    if (flags.embed && result.kube) this.output.stderr.write(`\n  ${this.output.style.yellow("the private key is in")} ${result.kube.file}, which only you can read now: keep it to yourself\n`);
    if (result.kubeProblem) throw result.kubeProblem;
  }

  private async gateway(flag: string | undefined, prompter: Prompter | undefined): Promise<string> {
    const chosen = await chosenProxy(clientHome(process.env), process.env, flag);
    if (chosen !== undefined) return chosen;
    if (prompter) return prompter.ask("Address of your gateway (such as teleport.example.com):");
    throw new GatehouseError("usage", "which gateway?", { hint: "name it: tsh login --proxy=teleport.example.com, or set TELEPORT_PROXY" });
  }

  private async password(user: string, fromStdin: boolean, prompter: Prompter | undefined): Promise<string> {
    if (fromStdin) return passwordFromStdin();
    if (prompter) return prompter.password(`Password of ${escapeLine(user)}:`);
    throw new GatehouseError("usage", "there is no terminal to ask for the password", { hint: "--password-stdin reads it from standard input" });
  }
}

/** What the person may reach of Kubernetes, one line a fact. */
function describeKubernetes({ account, kube }: LoginResult): readonly string[] {
  if (account.kubeAddress === undefined) return ["not offered by this gateway"];
  const usable = account.kubeClusters.filter((cluster) => cluster.groups.length > 0);
  const refused = account.kubeClusters.filter((cluster) => cluster.groups.length === 0);
  const groups = [...new Set(usable.flatMap((cluster) => cluster.groups))].sort();
  const contexts = kube?.contexts.filter(({ cluster }) => usable.some(({ name }) => name === cluster)).map(({ context }) => context) ?? [];
  const reach = contexts.length === 0 ? listNames(groups) : `${listNames(groups)}   →  ${contexts.length === 1 ? "context" : "contexts"} ${listNames(contexts)} in ${kube?.file ?? ""}`;
  const failing = usable.flatMap(({ healthy, name, problem }) => (healthy === false ? [`${name} does not work now: ${problem ?? "the gateway cannot serve it"}`] : []));
  if (usable.length === 0) return ["no cluster that you may use"];
  return [reach, ...failing, ...refused.map((cluster) => `${cluster.name}: ${noGroups(cluster.refused)}`)];
}

/** The login as a short table, and how to switch kubectl where it talks to something else. */
function describeLogin(result: LoginResult, now: number): string {
  const { record, account, kube } = result;
  const fields = formatFields([
    ["cluster", escapeLine(`${record.cluster}   ${describeValidity(record.expires, now)}`)],
    ["roles", escapeLine(listNames(account.roles))],
    ["kubernetes", describeKubernetes(result).map(escapeLine).join("\n")],
    ["logins", escapeLine(listNames(account.logins))],
  ]);
  const first = kube?.contexts.find(({ cluster }) => cluster === account.defaultCluster) ?? kube?.contexts[0];
  if (!kube || !first || kube.current === undefined || kube.currentIsOurs) return fields;
  return `${fields}\n  current kubectl context is still ${escapeLine(kube.current)}: \`tsh kube login ${escapeLine(first.cluster)}\` to switch\n`;
}

function loginData({ record, account, authType, keystore, kube }: LoginResult): Record<string, unknown> {
  return {
    proxy: record.proxy,
    cluster: record.cluster,
    user: record.username,
    auth: authType,
    valid_until: new Date(record.expires).toISOString(),
    keystore,
    roles: account.roles,
    logins: account.logins,
    kubernetes: {
      enabled: account.kubeAddress !== undefined,
      kubeconfig: kube?.file,
      current_context: kube?.current,
      clusters: account.kubeClusters.map(({ name, groups, healthy, labels, problem, refused }) => ({ name, context: kube?.contexts.find((context) => context.cluster === name)?.context, labels, groups, refused, healthy, problem })),
    },
  };
}
