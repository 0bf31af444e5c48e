/** What a person has set for the agent, in `config/config.yaml` of the client's home. */
export { formatSetting, readSettings, settingNames, settingsPath } from "./settings.ts";
export type { AgentSettings } from "./settings.ts";
export { changeSettings } from "./change.ts";
export { openSettings } from "./live.ts";
export type { LiveSettings } from "./live.ts";
