import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { readItems, shownId, tokenTable } from "../../resources.ts";

/** `tctl tokens ls` */
export class TokensLs extends TctlCommand {
  static override summary = "List tokens that let machines join";
  static override description = "Names that are secrets are hidden; such a token is removed by its id.";
  static override examples = ["<%= config.bin %> tokens ls", "<%= config.bin %> tokens ls --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints every token. */
  async run(): Promise<void> {
    const { flags } = await this.parse(TokensLs);
    const items = readItems(await (await this.connect(flags)).get({ kind: "token" }, false));
    const tokens = items.flatMap(({ resource, id }) => (resource.kind === "token" ? [{ resource, id }] : []));
    if (flags.format === "text") {
      this.output.stdout.write(tokenTable(tokens));
      return;
    }
    const rows = tokens.map(({ resource: { metadata, spec }, id }) => ({ name: metadata.name, id: id?.slice(0, shownId), ...spec, expires: metadata.expires }));
    this.output.stdout.write(await formatData(rows, flags.format));
  }
}
