/** For a file that was listed and may be gone by the time it is read: undefined for that, and throws everything else. */
export function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
