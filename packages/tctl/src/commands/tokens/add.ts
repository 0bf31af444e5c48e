import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, randomHex, systemClock, systemRandom } from "@gatehouse/core/base";
import { durationFlag, formatFlag } from "@gatehouse/core/client/command";
import { describeEnd, formatData } from "@gatehouse/core/client/terminal";
import { joinMethods, parseResource } from "@gatehouse/core/resources";
import { TctlCommand, connectFlags } from "../../command.ts";
import { splitNames } from "../../names.ts";

/** `repository=acme/app,branch=main`: one rule. A key that comes twice may have either value. Throws `usage`. */
function parseRule(text: string): Readonly<Record<string, readonly string[]>> {
  const rule = new Map<string, string[]>();
  for (const term of splitNames(text)) {
    const at = term.indexOf("=");
    if (at < 1) throw new GatehouseError("usage", `--allow: "${escapeLine(term)}" is not key=value`, { hint: "write it as --allow=repository=acme/app,branch=main; more than one --allow: any of them" });
    const key = term.slice(0, at);
    rule.set(key, [...(rule.get(key) ?? []), term.slice(at + 1)]);
  }
  return Object.fromEntries(rule);
}

/** `tctl tokens add` */
export class TokensAdd extends TctlCommand {
  static override summary = "Create a token that lets a machine join";
  static override description = `A one-use token (--join-method=token) is printed once, and kept as a digest alone. For the other methods the token is a name with rules: the job proves itself
with its own JWT. Rules of many kinds are easier to write as a file: tctl create token.yaml.`;
  static override examples = [
    "<%= config.bin %> tokens add --bot=ci",
    "<%= config.bin %> tokens add --bot=ci --join-method=github-actions --name=deploy --allow=repository=acme/app,branch=main",
    "<%= config.bin %> tokens add --bot=ci --join-method=oidc --name=ci --issuer=https://id.example.com --allow=sub=job-7",
  ];
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    bot: Flags.string({ summary: "The bot that may join with it", helpValue: "<name>" }),
    type: Flags.string({ summary: "Instead of a bot: machines of the cluster's own, such as node", helpValue: "<role,…>", exclusive: ["bot", "join-method"] }),
    "join-method": Flags.option({ options: joinMethods, summary: "How a job proves that it may; token where left out" })(),
    name: Flags.string({ summary: "Name of a token for jobs with a JWT", helpValue: "<name>" }),
    allow: Flags.string({ multiple: true, summary: "A rule: what the JWT must say", helpValue: "<key=value,…>" }),
    issuer: Flags.string({ summary: "Who signs the JWTs, where it is not github.com or gitlab.com", helpValue: "<address>" }),
    audience: Flags.string({ summary: "Whom the JWTs have to be for; this cluster where left out", helpValue: "<text>" }),
    ttl: Flags.string({ summary: "How long the token is good; a secret one 30m where left out", helpValue: "<duration>" }),
  };

  /** Creates it, and prints a secret one. */
  async run(): Promise<void> {
    const { flags } = await this.parse(TokensAdd);
    if (flags.bot === undefined && flags.type === undefined) throw new GatehouseError("usage", "for whom?", { hint: "--bot=NAME, or --type=node" });
    const method = flags.type === undefined ? (flags["join-method"] ?? "token") : undefined;
    const isSecret = method === undefined || method === "token";
    if (isSecret && flags.name !== undefined) throw new GatehouseError("usage", "--name is for tokens whose name is no secret", { hint: "a secret one is made up here, and printed once" });
    if (!isSecret && flags.name === undefined) throw new GatehouseError("usage", "how shall the token be called?", { hint: "--name=NAME: jobs say it (tsh login --token=NAME)" });
    const name = flags.name ?? randomHex(systemRandom, 16);
    const ttl = flags.ttl === undefined ? (isSecret ? 30 * 60_000 : undefined) : durationFlag("--ttl", flags.ttl);
    const expires = ttl === undefined ? undefined : systemClock.now() + ttl;
    const spec =
      method === undefined
        ? { roles: splitNames(flags.type) }
        : { join_method: method, bot_name: flags.bot, ...(flags.allow === undefined ? {} : { allow: flags.allow.map(parseRule) }), ...(flags.issuer === undefined ? {} : { issuer: flags.issuer }), ...(flags.audience === undefined ? {} : { audience: flags.audience }) };
    const token = parseResource({ kind: "token", version: "v2", metadata: { name, ...(expires === undefined ? {} : { expires: new Date(expires).toISOString() }) }, spec });
    const { notes } = await (await this.connect(flags)).put(token, "create");
    this.note(notes);
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData({ token: name, secret: isSecret, bot: flags.bot, join_method: method, expires: expires === undefined ? undefined : new Date(expires).toISOString() }, flags.format));
      return;
    }
    const end = expires === undefined ? "" : ` until ${describeEnd(expires, systemClock.now())}`;
    if (!isSecret) {
      this.done(`token ${escapeLine(name)} created${end}; in the job: tsh login --join-method=${method} --token=${escapeLine(name)}`);
      return;
    }
    this.done(`token created; it ${method === undefined ? "is good" : "works once,"}${end}, and is not shown again:`);
    this.output.stdout.write(`${name}\n`);
  }
}
