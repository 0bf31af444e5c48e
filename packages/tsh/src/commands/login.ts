import { Args, Flags } from "@oclif/core";
import { GatehouseError, escapeLine, readAll, systemClock, systemRandom } from "@gatehouse/core/base";
import { chosenProxy, clientHome, login, parsePin, parseProxyAddress, profileName, readProfile, resumeLogin, type LoginResult } from "@gatehouse/core/client";
import { formatData, type Prompter } from "@gatehouse/core/client/terminal";
import { formatFlag, withPrompter } from "@gatehouse/core/client/command";
import { AgentCommand } from "../agent-command.ts";
import { proxyFlag } from "../command.ts";
import { chooseKubeCluster, selectKubeCluster } from "../kube-choice.ts";
import { describeLogin, loginData } from "../login-text.ts";
import { readyKeystore } from "../memory-keystore.ts";
import { joinFlags, parseTtl } from "../join.ts";
import { joinLogin } from "../join-login.ts";
import { runningProgram } from "../program.ts";
import { shortProxy } from "../text.ts";

const maxPassword = 4096;

/** Of standard input the first line is the password, and the second, if there is one, the code of the second factor. */
async function readSecrets(): Promise<{ readonly password: string; readonly code: string }> {
  const text = (await readAll(process.stdin, maxPassword, "the password on standard input")).toString("utf8");
  const [password = "", code = ""] = text.split(/\r?\n/);
  return { password, code };
}

/** Whoever wanted no key on disk or in a keychain wants that of the next login too. */
async function keptInMemory(proxy: string): Promise<"memory" | undefined> {
  const { keystore } = (await readProfile(clientHome(process.env), profileName(parseProxyAddress(proxy)))) ?? {};
  return keystore === "memory" ? keystore : undefined;
}

/** `tsh login` */
export class Login extends AgentCommand {
  static override summary = "Log in to a gateway and point kubectl at it";
  static override description = `Opens your browser (the link is printed first), waits at most three minutes, keeps key and certificates in the system's keychain, and adds the
Kubernetes clusters that you may use to kubeconfig. kubectl's current context changes only where none is selected, or one of ours. Where a login is there
already it is used, also for another gateway, user or cluster; --force makes a new one. With --headless you approve the login in a browser on another
machine, by a code that is shown here; it is for one command, or a shell, and gone with it. With --join-method no
person is asked: a bot logs in, and its login goes to a file alone.`;
  static override examples = [
    { description: "Log in with GitHub", command: "<%= config.bin %> login --proxy=teleport.example.com --auth=github" },
    { description: "The first time, with a gateway that no public authority vouches for", command: "<%= config.bin %> login --proxy=teleport.example.com --ca-pin=sha256:…" },
    { description: "With a local account", command: "<%= config.bin %> login --proxy=teleport.example.com --auth=local --user=alice" },
    { description: "Go back to another user's login, and point kubectl at a cluster", command: "<%= config.bin %> login --user=alice staging" },
    { description: "In a job of GitHub Actions", command: "<%= config.bin %> login --proxy=teleport.example.com --join-method=github-actions --token=deploy --out=tsh.pem" },
    { description: "On a machine whose browser is started by hand", command: "<%= config.bin %> login --browser=none --bind-addr=127.0.0.1:4000" },
    { description: "On a machine without a browser, for one command", command: "<%= config.bin %> login --headless --user=alice -- kubectl get pods" },
  ];
  static override args = { cluster: Args.string({ ignoreStdin: true, required: false, description: "A Kubernetes cluster to point kubectl at" }) };
  static override flags = {
    ...proxyFlag,
    ...formatFlag,
    ...joinFlags,
    out: Flags.string({ char: "o", summary: "With --join-method: identity file to write; else TSH_IDENTITY_FILE", helpValue: "<file>" }),
    auth: Flags.string({ summary: "Connector to log in with, or local; the gateway's own choice where left out", helpValue: "<name>" }),
    user: Flags.string({ summary: "Whose login: a local account, or a login that is kept here", helpValue: "<name>" }),
    force: Flags.boolean({ summary: "Log in anew, also where a login is there and valid" }),
    "password-stdin": Flags.boolean({ summary: "Read the password of a local account from standard input, and its one-time code from a second line" }),
    mfa: Flags.option({ options: ["browser", "code"] as const, summary: "Show the second factor of a local account on the gateway's login page, where a security key can be asked, or type a code here" })(),
    ttl: Flags.string({ summary: "How long the login shall last: 12h, 1h30m, or minutes", helpValue: "<duration>" }),
    "ca-pin": Flags.string({ summary: "Pin of the gateway's authority, which it prints at start", helpValue: "sha256:<hex>" }),
    browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }),
    "bind-addr": Flags.string({ summary: "Loopback address to wait for the browser at", helpValue: "<host:port>", env: "TELEPORT_LOGIN_BIND_ADDR" }),
    keystore: Flags.option({ options: ["keychain", "file", "memory"] as const, summary: "Where to keep the key; a file only where no keychain service exists, unless asked for; memory is the local agent's, and gone with it" })(),
    identity: Flags.string({ char: "i", hidden: true }),
    embed: Flags.boolean({ summary: "Write key and certificate into kubeconfig itself, for tools that cannot run plugins" }),
    headless: Flags.boolean({ summary: "Approve in a browser on another machine, for the command after -- (or a shell) alone", exclusive: ["auth", "browser", "embed", "keystore", "password-stdin"] }),
  };

  /** Logs in, or goes on with a login that is there, and prints who that is. */
  async run(): Promise<void> {
    const end = this.argv.indexOf("--");
    const words = end < 0 ? undefined : this.argv.slice(end + 1);
    const { flags, args } = await this.parse(Login, end < 0 ? this.argv : this.argv.slice(0, end));
    if (flags.identity !== undefined) throw new GatehouseError("usage", "an identity file is a login already: tsh login does not take -i", { hint: "other commands do, such as: tsh -i FILE kube login --all" });
    if (flags["join-method"] !== undefined) return joinLogin(flags, this.output);
    for (const name of ["token", "jwt-file", "jwt-env", "audience", "out"] as const) if (flags[name] !== undefined) throw new GatehouseError("usage", `--${name} goes together with --join-method`);
    if (flags["password-stdin"] && flags.mfa === "browser") throw new GatehouseError("usage", "--password-stdin and --mfa=browser exclude each other", { hint: "the gateway's login page asks for the password too" });
    const cluster = args.cluster === "login" ? undefined : args.cluster;
    if (args.cluster === "login") this.output.stderr.write("Note: the word login at the end is not needed.\n");
    const ttl = flags.ttl === undefined ? undefined : parseTtl(flags.ttl);
    if (flags.headless) return this.headless({ proxy: flags.proxy, user: flags.user, caPin: flags["ca-pin"], format: flags.format }, { ttl, cluster, words });
    if (words !== undefined) throw new GatehouseError("usage", "tsh login runs a command with --headless alone", { hint: "tsh login --headless -- kubectl get pods" });
    this.wakeAgent();
    const result = await withPrompter(async (prompter) => {
      const proxy = await this.gateway(flags.proxy, prompter);
      const keystore = flags.keystore ?? (await keptInMemory(proxy));
      await readyKeystore(keystore);
      const wanted = { proxy, auth: flags.auth, user: flags.user, caPin: flags["ca-pin"] === undefined ? undefined : parsePin(flags["ca-pin"]), keystore, embed: flags.embed };
      const tools = { env: process.env, clock: systemClock, program: runningProgram() };
      const there = flags.force ? undefined : await resumeLogin(wanted, { ...tools, notice: (text) => this.output.stderr.write(text) });
      if (there) return { ...there, isNew: false };
      const made = await login(
        {
          ...wanted,
          password: (user) => this.password(user, flags["password-stdin"], prompter),
          otp: flags["password-stdin"] ? (_question, required) => this.codeFromStdin(required) : prompter && ((question) => prompter.password(question)),
          mfa: flags.mfa,
          ttl,
          browser: flags.browser,
          bindAddress: flags["bind-addr"],
        },
        { ...tools, random: systemRandom, output: this.output, prompter },
      );
      return { ...made, switched: false, isNew: true };
    });
    await this.tell(result, flags.format);
    if (!result.isNew && ttl !== undefined) this.output.stderr.write("  --ttl is for a new login: tsh login --force\n");
    if (flags.embed && result.kube) this.output.stderr.write(`\n  ${this.output.style.yellow("the private key is in")} ${result.kube.file}, which only you can read now: keep it to yourself\n`);
    if (result.kubeProblem) throw result.kubeProblem;
    if (cluster !== undefined) await this.choose(cluster, result);
  }

  private async headless(
    flags: { readonly proxy: string | undefined; readonly user: string | undefined; readonly caPin: string | undefined; readonly format: string },
    wanted: { readonly ttl: number | undefined; readonly cluster: string | undefined; readonly words: readonly string[] | undefined },
  ): Promise<void> {
    if (flags.format !== "text") throw new GatehouseError("usage", "--headless prints no data: standard output is the command's");
    const { runHeadless } = await import("../headless.ts");
    process.exitCode = await runHeadless({ ...wanted, proxy: (prompter) => this.gateway(flags.proxy, prompter), user: flags.user, caPin: flags.caPin === undefined ? undefined : parsePin(flags.caPin) }, this.output);
  }

  private async tell(result: LoginResult & { readonly isNew: boolean; readonly switched: boolean }, format: "text" | "json" | "yaml"): Promise<void> {
    const { green, bold } = this.output.style;
    const told = result.isNew ? "logged in as" : result.switched ? "switched to the login of" : "already logged in as";
    this.output.stderr.write(`\n${green("✔")} ${told} ${bold(escapeLine(result.record.username))}  (${escapeLine(result.authType)}, ${shortProxy(result.record.proxy)})\n`);
    if (format === "text") this.output.stderr.write(describeLogin(result, systemClock.now()));
    else this.output.stdout.write(await formatData({ ...loginData(result), new_login: result.isNew }, format));
    if (format === "text" && !result.isNew && !result.switched) this.output.stderr.write("  a new login: tsh login --force\n");
  }

  /** Points kubectl at a cluster; the gateway's own name means what login has done already. */
  private async choose(wanted: string, { account, kube, record }: LoginResult): Promise<void> {
    if (wanted === record.cluster && !account.kubeClusters.some(({ name }) => name === wanted)) return;
    const chosen = chooseKubeCluster(account, record.cluster, wanted);
    if (!kube) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
    await selectKubeCluster(this.output, chosen, kube, record.username);
  }

  private async gateway(flag: string | undefined, prompter: Prompter | undefined): Promise<string> {
    const chosen = await chosenProxy(clientHome(process.env), process.env, flag);
    if (chosen !== undefined) return chosen;
    if (prompter) return prompter.ask("Address of your gateway (such as teleport.example.com):");
    throw new GatehouseError("usage", "which gateway?", { hint: "name it: tsh login --proxy=teleport.example.com, or set TELEPORT_PROXY" });
  }

  private secrets: ReturnType<typeof readSecrets> | undefined;

  private fromStdin(): ReturnType<typeof readSecrets> {
    return (this.secrets ??= readSecrets());
  }

  private async codeFromStdin(required: boolean): Promise<string> {
    const { code } = await this.fromStdin();
    if (required && code.trim() === "") throw new GatehouseError("usage", "this gateway wants a second factor, and standard input has no second line with its code", { hint: "without --password-stdin a security key can be shown in the browser" });
    return code;
  }

  private async password(user: string, fromStdin: boolean, prompter: Prompter | undefined): Promise<string> {
    if (fromStdin) return (await this.fromStdin()).password;
    if (prompter) return prompter.password(`Password of ${escapeLine(user)}:`);
    throw new GatehouseError("usage", "there is no terminal to ask for the password", { hint: "--password-stdin reads it from standard input" });
  }
}
