import { dirname } from "node:path";
import { GatehouseError, escapeInQuotes } from "@gatehouse/core/base";
import { ensurePrivateDirectory, writeFileAtomic, type ClientHome } from "@gatehouse/core/client/lean";
import { describeChoices, isChoice, isSettingName, readSettingsText, settingsPath, unknownSetting, type AgentSettings } from "./settings.ts";

/** A setting as it is written on a command line: `relogin=agent`. Throws `usage`. */
function parseChange(text: string): readonly [keyof AgentSettings, AgentSettings[keyof AgentSettings]] {
  const [name = "", ...rest] = text.split("=");
  const given = rest.join("=");
  if (rest.length === 0) throw new GatehouseError("usage", `"${escapeInQuotes(text.slice(0, 100))}" sets nothing`, { hint: "write it as relogin=agent" });
  if (!isSettingName(name)) throw unknownSetting(undefined, name);
  const value = name === "confirm" && (given === "true" || given === "false") ? given === "true" : given;
  if (!isChoice(name, value)) throw new GatehouseError("usage", `${name} is ${describeChoices(name)}, not "${escapeInQuotes(given.slice(0, 100))}"`);
  return [name, value];
}

/** Writes changes such as `relogin=agent` into the file; what else stands there stays as it is, comments too. Resolves with the settings from now on. Throws `usage`, and what `readSettings` does. */
export async function changeSettings(home: ClientHome, changes: readonly string[]): Promise<AgentSettings> {
  const wanted = changes.map(parseChange);
  const path = settingsPath(home);
  // This file lies beside what the agent holds in memory.
  const [{ changeHome }, { readDocument }] = await Promise.all([import("@gatehouse/core/client"), import("./document.ts")]);
  return changeHome(home, async () => {
    const { document } = readDocument(path, (await readSettingsText(home)) ?? "");
    for (const [name, value] of wanted) document.set(name, value);
    await ensurePrivateDirectory(dirname(path));
    const text = document.toString();
    await writeFileAtomic(path, text, 0o600);
    return readDocument(path, text).settings;
  });
}
