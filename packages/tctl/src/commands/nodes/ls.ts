import { Args } from "@oclif/core";
import { hasLabels } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { parseLabels } from "../../names.ts";
import { nodeTable, readItems } from "../../resources.ts";

/** `tctl nodes ls` */
export class NodesLs extends TctlCommand {
  static override summary = "List hosts";
  static override description = "Every host, whoever may log in to it. Those that you may log in to: tsh ls.";
  static override examples = ["<%= config.bin %> nodes ls", "<%= config.bin %> nodes ls env=staging --format=json"];
  static override args = { labels: Args.string({ ignoreStdin: true, required: false, description: "label=value[,label=value…]: those with all of these" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints every host that has the labels. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesLs);
    const wanted = Object.entries(parseLabels("the labels", args.labels));
    const items = readItems(await (await this.connect(flags)).get({ kind: "node" }, false));
    const nodes = items
      .flatMap(({ resource }) => (resource.kind === "node" ? [resource] : []))
      .filter(({ metadata }) => hasLabels(metadata.labels ?? {}, wanted))
      .sort((a, b) => (a.spec.hostname < b.spec.hostname ? -1 : 1));
    if (flags.format === "text") this.output.stdout.write(nodeTable(nodes));
    else this.output.stdout.write(await formatData(nodes.map(({ metadata, spec }) => ({ id: metadata.name, hostname: spec.hostname, addr: spec.addr, labels: metadata.labels ?? {}, host_key: spec.host_key })), flags.format));
  }
}
