import { Args } from "@oclif/core";
import type { AdminClient } from "@gatehouse/core/api";
import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { TctlCommand, connectFlags } from "../../command.ts";
import { readItems, withNearest } from "../../resources.ts";

/** A host's id, of its id or what it is called. Who may not list hosts has to say the id. */
async function idOf(admin: AdminClient, name: string): Promise<string> {
  try {
    const nodes = readItems(await admin.get({ kind: "node" }, false)).map(({ resource }) => resource).filter((resource) => resource.kind === "node");
    const found = nodes.find(({ metadata }) => metadata.name === name) ?? nodes.find(({ spec }) => spec.hostname === name.toLowerCase());
    return found?.metadata.name ?? name;
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "access_denied") return name;
    throw error;
  }
}

/** `tctl nodes rm` */
export class NodesRm extends TctlCommand {
  static override summary = "Remove hosts";
  static override description = "Nobody reaches them through the gateway any more; what is open there ends. Their host certificates are revoked; their names and keys are free to join again.";
  static override usage = "nodes rm NAME|ID...";
  static override examples = ["<%= config.bin %> nodes rm web-1"];
  static override strict = false;
  static override args = { node: Args.string({ ignoreStdin: true, required: true, description: "what the host is called, or its id" }) };
  static override flags = connectFlags;

  /** Removes one after the other. */
  async run(): Promise<void> {
    const { argv, flags } = await this.parse(NodesRm);
    const admin = await this.connect(flags);
    for (const given of argv.map(String)) {
      const name = await idOf(admin, given);
      await withNearest(admin, { kind: "node", name }, () => admin.remove({ kind: "node", name }));
      this.done(`node ${escapeLine(given)} removed`);
    }
  }
}
