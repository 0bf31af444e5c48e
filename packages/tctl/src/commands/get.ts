import { Args, Flags } from "@oclif/core";
import { connectFlags, TctlCommand } from "../command.ts";
import { getNamed, readItems, refFromWords, resourceTable, resourcesToJson } from "../resources.ts";
import { formatResources } from "@gatehouse/core/resources";

/** `tctl get` */
export class Get extends TctlCommand {
  static override summary = "Print resources";
  static override description =
    "RESOURCE is a kind, or kind/name; a kind is role, user, github, connectors, cluster_auth_preference (cap), token or lock, in the singular or plural. What is printed can be fed back to tctl create. Secrets are left out unless asked for; the name of a token is one, so that tokens can be fed back only --with-secrets.";
  static override examples = ["<%= config.bin %> get roles", "<%= config.bin %> get roles/admin > admin.yaml", "<%= config.bin %> get github/github --with-secrets --format=json"];
  static override args = { resource: Args.string({ ignoreStdin: true, required: true, description: "kind, or kind/name" }), name: Args.string({ ignoreStdin: true, required: false, description: "the name, where it is a word of its own" }) };
  static override flags = {
    ...connectFlags,
    format: Flags.string({ options: ["yaml", "json", "text"], default: "yaml", summary: "How to print them" }),
    "with-secrets": Flags.boolean({ summary: "Print secrets too" }),
  };

  /** Prints one resource, or all of a kind. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Get);
    const ref = refFromWords(args.name === undefined ? [args.resource] : [args.resource, args.name]);
    const admin = await this.connect(flags);
    const withSecrets = flags["with-secrets"];
    const resources = readItems(await getNamed(admin, ref, withSecrets)).map(({ resource }) => resource);
    if (flags.format === "text") this.output.stdout.write(resourceTable(resources));
    else if (flags.format === "yaml") this.output.stdout.write(formatResources(resources, "yaml", { withSecrets }));
    else this.output.stdout.write(ref.name === undefined ? resourcesToJson(resources, withSecrets) : formatResources(resources, "json", { withSecrets }));
  }
}
