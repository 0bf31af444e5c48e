import { Flags } from "@oclif/core";
import { escapeLine, randomHex, systemClock, systemRandom } from "@gatehouse/core/base";
import { durationFlag, formatFlag } from "@gatehouse/core/client/command";
import { describeEnd, formatData } from "@gatehouse/core/client/terminal";
import { parseResource } from "@gatehouse/core/resources";
import { TctlCommand, connectFlags } from "../../command.ts";
import { joinCommand } from "../../join-command.ts";
import { parseLabels, splitNames } from "../../names.ts";

const day = 24 * 3_600_000;

/** `tctl nodes add` */
export class NodesAdd extends TctlCommand {
  static override summary = "Let a host join, and print the line to run there";
  static override description = `The host needs OpenSSH, curl and openssl. What it may be called, and which labels it gets, is what this token says: a label whose value has a * in it the host may
choose (--labels in the line). The token is printed once, and is asked for on the host: it is in no argument there, and in no shell's history.`;
  static override examples = ["<%= config.bin %> nodes add --name=web-1 --labels=env=staging", "<%= config.bin %> nodes add --name=web-* --labels=env=staging,rack=* --uses=20 --ttl=24h"];
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    name: Flags.string({ required: true, summary: "What hosts may be called, comma-separated; * is anything", helpValue: "<name,…>" }),
    labels: Flags.string({ summary: "Labels that they get", helpValue: "<label=value,…>" }),
    addr: Flags.string({ summary: "Addresses that they may be reached at, beside the one that they join from; * is anything", helpValue: "<address,…>" }),
    ttl: Flags.string({ default: "1h", summary: "How long the token is good", helpValue: "<duration>" }),
    uses: Flags.integer({ default: 1, min: 1, max: 100_000, summary: "How many hosts may join with it" }),
    gateway: Flags.string({ summary: "Where hosts reach the gateway, host:port; else as people do", helpValue: "<address>" }),
  };

  /** Makes the token and prints the line. */
  async run(): Promise<void> {
    const { flags } = await this.parse(NodesAdd);
    const ttl = durationFlag("--ttl", flags.ttl, { min: 60_000, max: 30 * day, words: "1 min to 30 days" });
    const names = splitNames(flags.name);
    const addrs = splitNames(flags.addr);
    const labels = parseLabels("--labels", flags.labels);
    const token = randomHex(systemRandom, 16);
    const expires = systemClock.now() + ttl;
    const spec = {
      roles: ["Node"],
      join_method: "token",
      node_names: names,
      ...(addrs.length > 0 ? { node_addrs: addrs } : {}),
      ...(Object.keys(labels).length > 0 ? { node_labels: labels } : {}),
      ...(flags.uses > 1 ? { uses: flags.uses } : {}),
    };
    const resource = parseResource({ kind: "token", version: "v2", metadata: { name: token, expires: new Date(expires).toISOString() }, spec });
    const admin = await this.connect(flags);
    const { public_url: url, ca_pin: pin } = await admin.gateway();
    const gateway = flags.gateway ?? new URL(url).host;
    const [only] = names.length === 1 && !names[0]?.includes("*") ? names : [];
    const command = joinCommand({ gateway, pin, name: only });
    const { notes } = await admin.put(resource, "create");
    this.note(notes);
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData({ token, command, gateway, ca_pin: pin, names, labels, uses: flags.uses, expires: new Date(expires).toISOString() }, flags.format));
      return;
    }
    const hosts = flags.uses === 1 ? "one host" : `${String(flags.uses)} hosts`;
    this.done(`${hosts} may join as ${names.map(escapeLine).join(", ")} until ${describeEnd(expires, systemClock.now())}. Run this there, as root:`);
    this.output.stdout.write(`${command}\n`);
    this.output.stderr.write(`\n  and give it this token, which is not shown again: ${token}\n`);
    if (only === undefined) this.output.stderr.write("  the host is called as it calls itself; another name: put --name=NAME behind the line\n");
  }
}
