/** Lines of a file that somebody may be writing: what follows the last line's end is not one yet. */
export const wholeLines = (text: string): readonly string[] =>
  text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== "");
