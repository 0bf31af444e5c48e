import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, limits, readAll } from "@gatehouse/core/base";
import { readFileLimited, writeFileAtomic } from "@gatehouse/core/client";
import { refuseExisting } from "@gatehouse/core/client/identity";
import { formatResources, parseResource, parseResources, type Connector } from "@gatehouse/core/resources";
import { TctlCommand, connectFlags, type ConnectFlagValues } from "../command.ts";
import { askForSeveral, type Need } from "./needs.ts";
import { namesIn, parseValueMapping } from "./mappings.ts";

const maxSecret = 4096;

/** Flags that every kind of connector has. */
export const configureFlags = {
  ...connectFlags,
  name: Flags.string({ summary: "Name of the connector; else that of its kind", helpValue: "<name>" }),
  display: Flags.string({ summary: "What people read on the button", helpValue: "<text>" }),
  out: Flags.string({ char: "o", summary: "File to write, which only you can read; else standard output", helpValue: "<file>" }),
  force: Flags.boolean({ summary: "Write over a file that is there" }),
};

/** `--secret-file`, of those kinds that have a client secret. */
export const secretFlag = { "secret-file": Flags.string({ summary: "File with the client secret; - is standard input", helpValue: "<file>" }) };

const paths = { github: "github/callback", oidc: "oidc/callback", saml: "saml/acs" } as const;

/** A command that writes a connector. */
export abstract class ConfigureCommand extends TctlCommand {
  /** A line of text. */
  protected textNeed(flag: string, given: string | undefined, question: string): Need<string> {
    return { flag, given, ask: (prompter) => prompter.ask(question) };
  }

  /** The client secret: never in the arguments, which others on the machine can read. */
  protected async secretNeed(file: string | undefined): Promise<Need<string>> {
    return { flag: "--secret-file", given: file === undefined ? undefined : await readSecret(file), ask: (prompter) => prompter.password("Client secret:") };
  }

  /** Where the provider sends browsers back to: as the flag says, or on the cluster's public address. */
  protected async callbackNeed(kind: keyof typeof paths, flag: string, given: string | undefined, flags: ConnectFlagValues): Promise<Need<string>> {
    const ask: Need<string>["ask"] = (prompter) => prompter.ask(`Address on the gateway that the provider sends browsers back to (https://…/v1/webapi/${paths[kind]}):`);
    if (given !== undefined) return { flag, given, ask };
    try {
      const { public_url: url } = await (await this.connect(flags)).status();
      if (url !== undefined) return { flag, given: `${url}/v1/webapi/${paths[kind]}`, ask };
      return { flag, given: undefined, ask, reason: "the gateway does not say its public address" };
    } catch (error) {
      if (!(error instanceof GatehouseError) || error.code === "usage") throw error;
      return { flag, given: undefined, ask, reason: error.message };
    }
  }

  /** Which values of claims or attributes give which roles; each flag is `NAME,VALUE,ROLE,ROLE`. */
  protected valuesNeed(flag: string, given: readonly string[] | undefined, what: string): Need<readonly ReturnType<typeof parseValueMapping>[]> {
    return {
      flag,
      given: given?.map((text) => parseValueMapping(flag, text)),
      ask: (prompter) =>
        askForSeveral(prompter, `Another ${what}?`, async () => ({
          key: await prompter.ask(`Which ${what} gives roles (such as groups):`),
          value: await prompter.ask("Which value of it (* stands for anything):"),
          roles: namesIn(await prompter.ask("Roles for who has it, with commas between (access, admin, …):")),
        })),
    };
  }

  /** Checks the connector as the gateway would, writes it, and says what is next. Throws `bad_parameter` that names the field. */
  protected async emit(kind: Connector["kind"], version: "v2" | "v3", spec: Readonly<Record<string, unknown>>, callback: string, flags: { readonly name?: string | undefined; readonly display?: string | undefined; readonly out?: string | undefined; readonly force: boolean }): Promise<void> {
    const { display, out } = flags;
    const text = formatResources([parseResource({ kind, version, metadata: { name: flags.name ?? kind }, spec: { ...spec, ...(display === undefined ? {} : { display }) } })], "yaml", { withSecrets: true });
    parseResources(text, "the connector");
    if (out === undefined) this.output.stdout.write(text);
    else {
      if (!flags.force) await refuseExisting([out]);
      await writeFileAtomic(out, text, 0o600);
      this.done(`${escapeLine(out)} is written`);
    }
    const file = out === undefined ? "<file>" : escapeLine(out);
    this.output.stderr.write(`  the provider sends browsers back to: ${escapeLine(callback)}\n  try it out: tctl sso test -f ${file}\n  then store it: tctl create ${file}\n`);
    if ("client_secret" in spec) this.note([`the client secret is in ${out === undefined ? "what is printed" : "the file"}: keep it to yourself`]);
  }
}

async function readSecret(file: string): Promise<string> {
  const text = file === "-" ? (await readAll(process.stdin, maxSecret, "the secret on standard input")).toString("utf8") : await readFileLimited(file, { limit: maxSecret });
  if (text === undefined) throw new GatehouseError("not_found", `${file} does not exist`);
  const secret = text.trim();
  if (secret === "") throw new GatehouseError("usage", `there is no secret in ${file === "-" ? "standard input" : file}`);
  return secret;
}

/** The provider's metadata: an address, or a file's text. Throws `not_found`. */
export async function readDescriptor(text: string): Promise<Readonly<Record<string, string>>> {
  if (/^https?:\/\//i.test(text)) return { entity_descriptor_url: text };
  const xml = await readFileLimited(text, { limit: limits.resourceFile });
  if (xml === undefined) throw new GatehouseError("not_found", `${text} does not exist`, { hint: "name a file with the provider's metadata, or its https:// address" });
  return { entity_descriptor: xml };
}
