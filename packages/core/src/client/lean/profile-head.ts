import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { GatehouseError, systemErrorCode } from "../../base/index.ts";
import { readFileLimited } from "./files.ts";
import type { ClientHome } from "./home.ts";

/** Bytes of a profile. */
export const maxProfile = 256 * 1024;

/** The name of the current profile, or undefined where none is chosen. */
export async function currentProfileName(home: ClientHome): Promise<string | undefined> {
  try {
    const target = basename(readlinkSync(home.current));
    return target.endsWith(".yaml") ? target.slice(0, -".yaml".length) : undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT") return undefined;
    // Where symlinks need a privilege (Windows) the link is a file that holds the name.
    if (code === "EINVAL" || code === "UNKNOWN") return (await readFileLimited(home.current, { limit: 1024 }))?.trim().replace(/\.yaml$/, "");
    throw new GatehouseError("internal", `could not read ${home.current}: ${code ?? String(error)}`, { cause: error });
  }
}

/** Top-level plain scalars of a profile. */
export type ProfileHead = Readonly<Partial<Record<"web_proxy_addr" | "auth_type" | "user" | "keystore" | "valid_until", string>>>;

/**
 * The few scalars of a profile that the fast path needs, read without a YAML parser: lines `key: value` in the first column, the value plain
 * or quoted. Undefined where there is no such profile.
 */
export async function readProfileHead(home: ClientHome, name: string): Promise<ProfileHead | undefined> {
  const text = await readFileLimited(home.profile(name), { limit: maxProfile });
  if (text === undefined) return undefined;
  const head: Record<string, string> = {};
  for (const match of text.matchAll(/^(web_proxy_addr|auth_type|user|keystore|valid_until): *(?:"([^"\\\n]*)"|'([^'\n]*)'|([^\s"'#[{&*!|>%@`][^#\n]*?)) *(?:#.*)?$/gm)) {
    const key = match[1];
    if (key !== undefined) head[key] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return head;
}
