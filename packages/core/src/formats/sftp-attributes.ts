import type { SshReader } from "./ssh-wire.ts";

/** Attributes of a file as SFTP carries them (draft-ietf-secsh-filexfer-02 §5), as far as they matter here. */
export interface SftpAttributes {
  readonly size: number | undefined;
  /** What is in them, in words: `size 0, owner 0:0, mode 0644, times`. */
  readonly text: string;
}

const flag = { size: 1, owner: 2, mode: 4, times: 8 };

/** Reads attributes. Throws `bad_parameter` where they are cut off. */
export function readSftpAttributes(reader: SshReader): SftpAttributes {
  const flags = reader.uint32();
  const words: string[] = [];
  let size: number | undefined;
  if ((flags & flag.size) !== 0) {
    size = Number(reader.uint64());
    words.push(`size ${String(size)}`);
  }
  if ((flags & flag.owner) !== 0) words.push(`owner ${String(reader.uint32())}:${String(reader.uint32())}`);
  if ((flags & flag.mode) !== 0) words.push(`mode ${(reader.uint32() & 0o7777).toString(8).padStart(4, "0")}`);
  if ((flags & flag.times) !== 0) words.push("times");
  return { size, text: words.join(", ") };
}
