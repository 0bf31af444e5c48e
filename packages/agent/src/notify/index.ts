/** Notes on the person's desktop. */
export { createNotifier, silentNotifier } from "./notifier.ts";
export type { Note, Notifier, NotifierOptions } from "./notifier.ts";
