import { errorMessage } from "@gatehouse/core/base";
import { notifyOverBus } from "@gatehouse/core/client/desktop";
import type { Environment } from "@gatehouse/core/client/lean";
import { desktopCommand, runQuietly, type DesktopCommand } from "./desktop-command.ts";

/** What is shown: plain text, made safe by whoever shows it. */
export interface Note {
  readonly title: string;
  readonly body: string;
}

/** Shows notes, or nothing where there is nobody to see them. */
export interface Notifier {
  /** Never throws, and is not waited for: a note that cannot be shown is logged. */
  show(note: Note): void;
}

/** No desktop. */
export const silentNotifier: Notifier = { show: () => undefined };

/** How notes are shown. */
export interface NotifierOptions {
  readonly env: Environment;
  readonly platform: NodeJS.Platform;
  /** The person's setting, read each time. */
  readonly isOn: () => Promise<boolean>;
  readonly log: (text: string) => void;
  /** For tests: runs a command that shows a note. */
  readonly run?: ((command: DesktopCommand) => Promise<void>) | undefined;
  /** For tests: shows a note over the session bus. */
  readonly overBus?: ((env: Environment, note: Note) => Promise<void>) | undefined;
}

const isSet = (env: Environment, name: string): boolean => (env[name] ?? "") !== "";

/** Whether somebody sees what is shown here: not in CI, and on Linux on a desktop alone. */
function isSeen(env: Environment, platform: NodeJS.Platform): boolean {
  if (isSet(env, "CI")) return false;
  return platform === "darwin" || platform === "win32" || isSet(env, "DISPLAY") || isSet(env, "WAYLAND_DISPLAY");
}

/** The desktop's own way: `org.freedesktop.Notifications` on the session bus, `osascript` on macOS, a toast on Windows. The last two were never run there. */
export function createNotifier(options: NotifierOptions): Notifier {
  const { env, platform, isOn, log, run = runQuietly, overBus = notifyOverBus } = options;
  if (!isSeen(env, platform)) return silentNotifier;
  return {
    show(note) {
      const showIt = async (): Promise<void> => {
        if (!(await isOn())) return;
        const command = desktopCommand(platform, note);
        await (command ? run(command) : overBus(env, note));
      };
      showIt().catch((error: unknown) => log(`a note could not be shown: ${errorMessage(error)}`));
    },
  };
}
