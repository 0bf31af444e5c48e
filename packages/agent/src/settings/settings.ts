import { dirname, join } from "node:path";
import { parseDocument, type Document } from "yaml";
import { z } from "zod";
import { GatehouseError, didYouMean, escapeInQuotes, escapeLine } from "@gatehouse/core/base";
import { changeHome } from "@gatehouse/core/client";
import { ensurePrivateDirectory, readFileLimited, writeFileAtomic, type ClientHome } from "@gatehouse/core/client/lean";

/** What a person may set; each with what it is where nothing is said. */
export interface AgentSettings {
  /** At the end of a login that is not renewed: tell the person, or open the login page by itself. */
  readonly relogin: "ask" | "agent";
  /** Whether commands start an agent by themselves. */
  readonly agent: "on" | "off";
  /** Whether the person is asked before a login's key signs for ssh. */
  readonly confirm: boolean;
  readonly notifications: "on" | "off";
}

const shape = { relogin: z.enum(["ask", "agent"]), agent: z.enum(["on", "off"]), confirm: z.boolean(), notifications: z.enum(["on", "off"]) };
/** Where nothing is said. */
export const usualSettings: AgentSettings = { relogin: "ask", agent: "on", confirm: false, notifications: "on" };
const words: Readonly<Record<keyof AgentSettings, string>> = { relogin: "ask or agent", agent: "on or off", confirm: "true or false", notifications: "on or off" };

/** Their names, in the order in which they are shown. */
export const settingNames = Object.keys(usualSettings) as readonly (keyof AgentSettings)[];

const isName = (name: string): name is keyof AgentSettings => Object.hasOwn(usualSettings, name);

/** Bytes. */
const maxFile = 64 * 1024;

/** The file of a home. */
export const settingsPath = (home: ClientHome): string => join(home.path, "config", "config.yaml");

/** The YAML of a value: `on` as it is, which YAML 1.2 takes for a text. */
export const formatSetting = (value: AgentSettings[keyof AgentSettings]): string => String(value);

function unknownName(path: string | undefined, name: string): GatehouseError {
  const where = path === undefined ? "" : `${path}: `;
  return new GatehouseError(path === undefined ? "usage" : "bad_parameter", `${where}there is no setting "${escapeInQuotes(name.slice(0, 100))}"${didYouMean(name, settingNames)}`, { hint: `there are: ${settingNames.join(", ")}` });
}

function parseSettings(path: string, document: Document.Parsed): AgentSettings {
  const [fault] = document.errors;
  if (fault) throw new GatehouseError("bad_parameter", `${path} is no YAML: ${escapeLine(fault.message.split("\n")[0] ?? "")}`);
  const value: unknown = document.toJS({ maxAliasCount: 10 });
  if (value === null || value === undefined) return usualSettings;
  if (typeof value !== "object" || Array.isArray(value)) throw new GatehouseError("bad_parameter", `${path} is no list of settings`, { hint: "write one a line: relogin: agent" });
  const found: Record<string, unknown> = { ...usualSettings };
  for (const [name, given] of Object.entries(value)) {
    if (!isName(name)) throw unknownName(path, name);
    const parsed = shape[name].safeParse(given);
    if (!parsed.success) throw new GatehouseError("bad_parameter", `${path}: ${name} is ${words[name]}`);
    found[name] = parsed.data;
  }
  return found as unknown as AgentSettings;
}

const readText = (home: ClientHome): Promise<string | undefined> => readFileLimited(settingsPath(home), { limit: maxFile });

/** The settings of a home; what the file leaves out, and a home without one, has the usual ones. Throws `bad_parameter` for what is no setting, `internal` for a file that cannot be read. */
export async function readSettings(home: ClientHome): Promise<AgentSettings> {
  return parseSettings(settingsPath(home), parseDocument((await readText(home)) ?? ""));
}

/** A setting as it is written on a command line: `relogin=agent`. Throws `usage`. */
function parseChange(text: string): readonly [keyof AgentSettings, AgentSettings[keyof AgentSettings]] {
  const [name = "", ...rest] = text.split("=");
  const given = rest.join("=");
  if (rest.length === 0) throw new GatehouseError("usage", `"${escapeInQuotes(text.slice(0, 100))}" sets nothing`, { hint: "write it as relogin=agent" });
  if (!isName(name)) throw unknownName(undefined, name);
  const parsed = shape[name].safeParse(name === "confirm" && (given === "true" || given === "false") ? given === "true" : given);
  if (!parsed.success) throw new GatehouseError("usage", `${name} is ${words[name]}, not "${escapeInQuotes(given.slice(0, 100))}"`);
  return [name, parsed.data];
}

/** Writes changes such as `relogin=agent` into the file; what else stands there stays as it is, comments too. Resolves with the settings from now on. Throws `usage`, and what {@link readSettings} does. */
export async function changeSettings(home: ClientHome, changes: readonly string[]): Promise<AgentSettings> {
  const wanted = changes.map(parseChange);
  const path = settingsPath(home);
  return changeHome(home, async () => {
    const document = parseDocument((await readText(home)) ?? "");
    parseSettings(path, document);
    for (const [name, value] of wanted) document.set(name, value);
    await ensurePrivateDirectory(dirname(path));
    await writeFileAtomic(path, document.toString(), 0o600);
    return parseSettings(path, document);
  });
}
