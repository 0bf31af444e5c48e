import { Args, Flags } from "@oclif/core";
import type { ChangeResponse } from "@gatehouse/core/api";
import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { formatData, dataFormats } from "@gatehouse/core/client/terminal";
import { hiddenName, parseResources, resourceToJson, type Kind, type Resource } from "@gatehouse/core/resources";
import { describeChange } from "../changes.ts";
import { TctlCommand, connectFlags } from "../command.ts";
import { readSource } from "../source.ts";

/** What others refer to comes first, so that a file may name a role before it defines it. */
const order: readonly Kind[] = ["role", "cluster_auth_preference", "github", "oidc", "saml", "bot", "token", "user", "node", "lock"];

/** `tctl create` */
export class Create extends TctlCommand {
  static override summary = "Create resources from a file, or overwrite them";
  static override description = "YAML or JSON, several documents too; all are checked before the first is written. Without --force a resource that exists is left as it is, with exit code 6.";
  static override examples = ["<%= config.bin %> create github.yaml", "<%= config.bin %> create -f admin.yaml", "<%= config.bin %> get roles/admin | <%= config.bin %> create -f -"];
  static override args = { file: Args.string({ ignoreStdin: true, required: false, description: "the file; - is standard input" }) };
  static override flags = {
    ...connectFlags,
    force: Flags.boolean({ char: "f", summary: "Overwrite what exists" }),
    format: Flags.string({ options: [...dataFormats], default: "text", summary: "How to print what changed" }),
  };

  /** Checks all documents, then writes one after another. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Create);
    const { text, name } = await readSource(args.file, "tctl create [-f] <file>, or - for standard input");
    const resources = parseResources(text, name).map(({ resource }) => resource);
    const hidden = resources.find((resource) => resource.metadata.name === hiddenName);
    if (hidden) throw new GatehouseError("bad_parameter", `${name}: the name of this ${hidden.kind} is hidden`, { hint: "read it with: tctl get --with-secrets" });
    if (resources.length === 0) {
      this.output.stderr.write(`${escapeLine(name)} has no resource in it: nothing to do\n`);
      if (flags.format !== "text") this.output.stdout.write(await formatData([], flags.format as "json" | "yaml"));
      return;
    }
    const admin = await this.connect(flags);
    const changes: ChangeResponse[] = [];
    for (const resource of [...resources].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))) {
      const change = await this.put(() => admin.put(resourceToJson(resource), flags.force ? "upsert" : "create"), resource, changes.length, resources.length);
      changes.push(change);
      if (flags.format === "text") this.done(describeChange(change));
      this.note(change.notes);
    }
    if (flags.format !== "text") this.output.stdout.write(await formatData(changes, flags.format as "json" | "yaml"));
  }

  private async put(write: () => Promise<ChangeResponse>, resource: Resource, done: number, all: number): Promise<ChangeResponse> {
    try {
      return await write();
    } catch (error) {
      if (all > 1) this.output.stderr.write(`${done} of ${all} resources were written before ${resource.kind} ${resource.metadata.name}\n`);
      throw error;
    }
  }
}
