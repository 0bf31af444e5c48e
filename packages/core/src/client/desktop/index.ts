/** Notes on the desktop of this session. */
export { notifyOverBus } from "./notifications.ts";
