import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Makes the names in a directory last: after a crash they are as they are now. On Windows, where directories cannot be opened, nothing. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
