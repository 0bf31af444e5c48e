import { join } from "node:path";
import { GatehouseError, didYouMean, escapeInQuotes } from "@gatehouse/core/base";
import { readFileLimited, type ClientHome } from "@gatehouse/core/client/lean";

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

type Name = keyof AgentSettings;

/** What each may be. */
const choices: { readonly [N in Name]: readonly AgentSettings[N][] } = { relogin: ["ask", "agent"], agent: ["on", "off"], confirm: [true, false], notifications: ["on", "off"] };
/** Where nothing is said. */
export const usualSettings: AgentSettings = { relogin: "ask", agent: "on", confirm: false, notifications: "on" };

/** Whether there is a setting of this name. */
export const isSettingName = (name: string): name is Name => Object.hasOwn(usualSettings, name);

/** Their names, in the order in which they are shown. */
export const settingNames = Object.keys(usualSettings).filter(isSettingName);

/** Whether a setting may be this. */
export const isChoice = (name: Name, value: unknown): value is AgentSettings[Name] => choices[name].some((choice) => choice === value);

/** What a setting may be, for people. */
export const describeChoices = (name: Name): string => choices[name].map(String).join(" or ");

/** Bytes. */
const maxFile = 64 * 1024;

/** The file of a home. */
export const settingsPath = (home: ClientHome): string => join(home.path, "config", "config.yaml");

/** The YAML of a value: `on` as it is, which YAML 1.2 takes for a text. */
export const formatSetting = (value: AgentSettings[Name]): string => String(value);

/** What is said of a name that is none: in the file at `path`, else on a command line. */
export function unknownSetting(path: string | undefined, name: string): GatehouseError {
  const where = path === undefined ? "" : `${path}: `;
  return new GatehouseError(path === undefined ? "usage" : "bad_parameter", `${where}there is no setting "${escapeInQuotes(name.slice(0, 100))}"${didYouMean(name, settingNames)}`, { hint: `there are: ${settingNames.join(", ")}` });
}

/** The text of the file; undefined where there is none. */
export const readSettingsText = (home: ClientHome): Promise<string | undefined> => readFileLimited(settingsPath(home), { limit: maxFile });

/** The settings of a home; what the file leaves out, and a home without one, has the usual ones. Throws `bad_parameter` for what is no setting, `internal` for a file that cannot be read. */
export async function readSettings(home: ClientHome): Promise<AgentSettings> {
  const text = await readSettingsText(home);
  // The agent holds what it loads all day: no YAML where there is none to read.
  return text === undefined ? usualSettings : (await import("./document.ts")).readDocument(settingsPath(home), text).settings;
}
