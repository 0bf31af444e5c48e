import { Args } from "@oclif/core";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdminClient } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, limits } from "@gatehouse/core/base";
import { readFileLimited } from "@gatehouse/core/client";
import { withPrompter } from "@gatehouse/core/client/command";
import { formatError, type Prompter } from "@gatehouse/core/client/terminal";
import { formatResources, parseResources, resourceToJson, type Resource } from "@gatehouse/core/resources";
import { describeChange } from "../changes.ts";
import { TctlCommand, connectFlags } from "../command.ts";
import { checkEditor, runEditor } from "../editor.ts";
import { getNamed, oneRef, plural, readItems } from "../resources.ts";

/** `tctl edit` */
export class Edit extends TctlCommand {
  static override summary = "Change a resource in your editor";
  static override description =
    "Opens VISUAL, else EDITOR, else vi. What you save is checked and written; where somebody else changed the resource meanwhile, nothing is overwritten (exit code 6). Your text is kept where it could not be written.";
  static override examples = ["<%= config.bin %> edit roles/admin"];
  static override args = { resource: Args.string({ ignoreStdin: true, required: true, description: "kind/name" }), name: Args.string({ ignoreStdin: true, required: false, description: "the name, where it is a word of its own" }) };
  static override flags = connectFlags;

  /** Reads, opens the editor, writes. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Edit);
    const ref = oneRef(args.name === undefined ? [args.resource] : [args.resource, args.name]);
    checkEditor(`${ref.kind === "connectors" ? "connector" : ref.kind} "${escapeLine(ref.name)}"`, `${escapeLine(plural(ref.kind))}/${escapeLine(ref.name)}`, process.env);
    const admin = await this.connect(flags);
    const [read] = readItems(await getNamed(admin, ref, false));
    if (!read) throw new GatehouseError("not_found", `${ref.kind} "${ref.name}" does not exist`);
    const folder = await mkdtemp(join(tmpdir(), "tctl-edit-"));
    const file = join(folder, `${read.resource.kind}.yaml`);
    const before = formatResources([read.resource], "yaml", { withSecrets: false });
    await writeFile(file, before, { mode: 0o600, flag: "wx" });
    let keep = true;
    try {
      const edited = await withPrompter((prompter) => this.editUntilValid(file, before, read.resource, prompter));
      if (edited === undefined) this.output.stderr.write("nothing changed\n");
      else await this.write(admin, edited, read.revision);
      keep = false;
    } finally {
      if (keep) this.output.stderr.write(`your text is kept in ${file}\n`);
      else await rm(folder, { recursive: true, force: true });
    }
  }

  private async write(admin: AdminClient, edited: Resource, revision: number): Promise<void> {
    this.done(describeChange(await admin.put(resourceToJson(edited), "update", revision)));
  }

  /** The resource as edited, or undefined where nothing changed. A text that is not valid opens the editor again, if the person wants to. */
  private async editUntilValid(file: string, before: string, original: Resource, prompter: Prompter | undefined): Promise<Resource | undefined> {
    for (;;) {
      await runEditor(file, process.env);
      const text = (await readFileLimited(file, { limit: limits.resourceFile })) ?? "";
      if (text === before) return undefined;
      try {
        return readEdited(text, file, original);
      } catch (error) {
        if (!prompter) throw error;
        this.output.stderr.write(formatError(error, this.output.style));
        if (!(await prompter.confirm("Open the editor again?"))) throw error;
      }
    }
  }
}

function readEdited(text: string, file: string, original: Resource): Resource {
  const [parsed, ...more] = parseResources(text, file);
  if (!parsed || more.length > 0) throw new GatehouseError("bad_parameter", `one resource is edited, and there are ${parsed ? more.length + 1 : 0} in the file`);
  const { resource } = parsed;
  if (resource.kind !== original.kind || resource.metadata.name !== original.metadata.name) {
    throw new GatehouseError("bad_parameter", `kind and name stay as they are: this was ${original.kind} ${original.metadata.name}`, { hint: "make another resource with: tctl create" });
  }
  return resource;
}
