import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TransportStream } from "../../api/index.ts";

/**
 * Keeps an answer in a file of this process alone: it has no name any more when this returns (where the system allows that). `progress` is told
 * the bytes so far. The caller closes it.
 */
export async function fetchRecording(answer: TransportStream, progress: (bytes: number) => void): Promise<{ readonly file: FileHandle; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "tsh-recording-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  let file: FileHandle | undefined;
  try {
    file = await open(join(folder, "session.rec"), "wx+", 0o600);
    if (process.platform !== "win32") await remove();
    let bytes = 0;
    for await (const piece of answer.body) {
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
      progress((bytes += piece.length));
    }
  } catch (error) {
    await file?.close();
    await remove();
    throw error;
  }
  const opened = file;
  return {
    file: opened,
    async close() {
      await opened.close();
      await remove();
    },
  };
}
