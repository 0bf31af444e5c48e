/** How commands speak to people and programs: streams, colours, tables, errors, the spinner, the terminal device. */
export { createOutput, plainStyle, takesColor } from "./output.ts";
export type { Output, Style, TextSink } from "./output.ts";
export { formatError, reportError } from "./errors.ts";
export { explainThrown } from "./thrown.ts";
export { formatFields, formatTable } from "./table.ts";
export { describeEnd, describeTime } from "./time.ts";
export { startSpinner } from "./spinner.ts";
export type { Spinner } from "./spinner.ts";
export { hasTerminalDevice, openTerminalDevice } from "./device.ts";
export type { Prompter, TerminalDevice } from "./device.ts";
export { createPlayFilter, restoreTerminal } from "./play-filter.ts";
export type { PlayFilter, PlayFilterOptions } from "./play-filter.ts";
export { dataFormats, formatData } from "./data.ts";
export type { DataFormat } from "./data.ts";
