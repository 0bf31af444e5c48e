import { stat } from "node:fs/promises";
import { errorMessage, systemErrorCode } from "@gatehouse/core/base";
import type { ClientHome } from "@gatehouse/core/client/lean";
import { readSettings, settingsPath, usualSettings, type AgentSettings } from "./settings.ts";

/** The settings as they are now: the file is read anew where it has changed. */
export interface LiveSettings {
  readonly current: AgentSettings;
  /** Looks at the file. One that cannot be read is told to the log, and the settings before it stay. */
  refresh(): Promise<void>;
}

async function mark(path: string): Promise<string> {
  try {
    const { mtimeMs, ino, size } = await stat(path);
    return `${mtimeMs} ${ino} ${size}`;
  } catch (error) {
    return systemErrorCode(error) ?? errorMessage(error);
  }
}

/** The settings of a home, for a process that stays. */
export async function openSettings(home: ClientHome, log: (text: string) => void): Promise<LiveSettings> {
  let seen: string | undefined;
  let current = usualSettings;
  let reading: Promise<void> = Promise.resolve();
  const read = async (): Promise<void> => {
    try {
      current = await readSettings(home);
    } catch (error) {
      log(errorMessage(error));
    }
  };
  const live: LiveSettings = {
    get current() {
      return current;
    },
    async refresh() {
      const now = await mark(settingsPath(home));
      if (now !== seen) {
        seen = now;
        reading = reading.then(read);
      }
      // Who finds that another is at it already waits for the same.
      await reading;
    },
  };
  await live.refresh();
  return live;
}
