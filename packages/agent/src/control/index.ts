/** The agent's own socket: commands ask, one JSON line a question, and are answered. */
export { serveControl } from "./serve.ts";
export type { ControlHandlers, ControlOptions, ControlServer } from "./serve.ts";
