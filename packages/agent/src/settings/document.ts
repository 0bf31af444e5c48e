import { parseDocument, type Document } from "yaml";
import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { describeChoices, isChoice, isSettingName, unknownSetting, usualSettings, type AgentSettings } from "./settings.ts";

/** `settings` with this one as a person wants it. */
const withSetting = <N extends keyof AgentSettings>(settings: AgentSettings, name: N, value: AgentSettings[N]): AgentSettings => ({ ...settings, [name]: value });

function readValues(path: string, value: unknown): AgentSettings {
  if (value === null || value === undefined) return usualSettings;
  if (typeof value !== "object" || Array.isArray(value)) throw new GatehouseError("bad_parameter", `${path} is no list of settings`, { hint: "write one a line: relogin: agent" });
  let settings = usualSettings;
  for (const [name, given] of Object.entries(value)) {
    if (!isSettingName(name)) throw unknownSetting(path, name);
    if (!isChoice(name, given)) throw new GatehouseError("bad_parameter", `${path}: ${name} is ${describeChoices(name)}`);
    settings = withSetting(settings, name, given);
  }
  return settings;
}

/** The text of the file at `path`, with what a person wrote around the settings. Throws `bad_parameter` for what is no YAML, and for what is no setting. */
export function readDocument(path: string, text: string): { readonly document: Document.Parsed; readonly settings: AgentSettings } {
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (fault) throw new GatehouseError("bad_parameter", `${path} is no YAML: ${escapeLine((fault.message.split("\n")[0] ?? "").replace(/:$/, ""))}`);
  return { document, settings: readValues(path, document.toJS({ maxAliasCount: 10 })) };
}
