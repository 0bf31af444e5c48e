import { Args, Flags } from "@oclif/core";
import { ssoTestOutcome, type AdminClient } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, systemRandom } from "@gatehouse/core/base";
import { gatherFacts, placeOf, throughBrowser } from "@gatehouse/core/client";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { resourceToJson, type Connector } from "@gatehouse/core/resources";
import { TctlCommand, connectFlags } from "../../command.ts";
import { connectorOf, storedConnector } from "../../sso-connector.ts";
import { describeOutcome, problemOf } from "../../sso-outcome.ts";
import { readSource } from "../../source.ts";

const which = "tctl sso test <connector>, or -f <file> for one that is not stored";

/** `tctl sso test` */
export class SsoTest extends TctlCommand {
  static override summary = "Try a connector out: run a login with it and see what comes of it";
  static override description = `Opens your browser (the link is printed first), waits at most three minutes, and shows what the identity provider said, what each rule of the mapping
made of it, and the roles, traits, logins and Kubernetes groups that a login would have. Nothing is stored: no user, no session; the audit log says who tested. A
connector from a file is not stored either; where it has no secret, the stored one's is used. The exit code is 0 where a login would succeed, else that of the problem.`;
  static override examples = [
    "<%= config.bin %> sso test github",
    { description: "Before it is stored", command: "<%= config.bin %> sso test -f okta.yaml" },
    { description: "As data", command: "<%= config.bin %> sso test oidc/okta --format=json" },
  ];
  static override args = { connector: Args.string({ ignoreStdin: true, required: false, description: "a stored connector: its name, or kind/name" }) };
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    file: Flags.string({ char: "f", summary: "A file with one connector, instead of a stored one; - is standard input", helpValue: "<file>" }),
    browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }),
    "bind-addr": Flags.string({ summary: "Loopback address to wait for the browser at", helpValue: "<host:port>", env: "TELEPORT_LOGIN_BIND_ADDR" }),
  };

  /** Runs the login and prints what came of it. Throws what stands in the way of one. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(SsoTest);
    if ((args.connector === undefined) === (flags.file === undefined)) throw new GatehouseError("usage", args.connector === undefined ? "which connector?" : "a stored connector and a file exclude each other", { hint: which });
    const given = flags.file === undefined ? undefined : await this.fromFile(flags.file);
    const admin = await this.connect(flags);
    const connector = given ?? (await storedConnector(admin, args.connector ?? ""));
    const outcome = await this.test(admin, connector, flags);
    this.output.stdout.write(flags.format === "text" ? describeOutcome(outcome) : await formatData(outcome, flags.format));
    const problem = problemOf(outcome);
    if (problem) throw problem;
    this.done(`a login with ${connector.kind}/${escapeLine(connector.metadata.name)} would succeed`);
  }

  private async fromFile(file: string): Promise<Connector> {
    const { connector, others } = connectorOf(await readSource(file, which));
    if (others > 0) this.note([`${String(others)} more resource${others === 1 ? "" : "s"} in ${file} ${others === 1 ? "is" : "are"} not part of the test`]);
    return connector;
  }

  private async test(admin: AdminClient, connector: Connector, flags: { readonly browser?: string | undefined; readonly "bind-addr"?: string | undefined }) {
    const { display } = connector.spec;
    const trip = {
      display: display === "" ? "the identity provider" : display,
      env: process.env,
      place: placeOf(await gatherFacts(process.env)),
      output: this.output,
      random: systemRandom,
      browser: flags.browser,
      bindAddress: flags["bind-addr"],
      donePage: "test_done",
    } as const;
    return throughBrowser(trip, ssoTestOutcome, (redirectUrl) => admin.testConnector(resourceToJson(connector), redirectUrl));
  }
}
