import { readdir } from "node:fs/promises";
import type { Clock } from "../../base/index.ts";
import { currentProfileName, parseProxyAddress, profileName, readProfileHead, type ClientHome, type Environment } from "../lean/index.ts";
import { readBashLine } from "./bash-line.ts";
import type { Name } from "./cache.ts";
import { candidatesAt, type Answer, type LookUp } from "./candidates.ts";
import { namesSoon, type NameSource } from "./fetch-soon.ts";
import type { Manifest } from "./manifest.ts";
import type { NamePlaces } from "./places.ts";
import { renderBash, renderFish, renderZsh, type Shell } from "./render.ts";
import { walk } from "./walk.ts";

/** What completing a line of one program needs. */
export interface Completing {
  readonly manifest: Manifest;
  readonly places: NamePlaces;
  readonly home: ClientHome;
  readonly env: Environment;
  readonly clock: Clock;
  /** ms that names which are not kept may be waited for. */
  readonly wait: number;
  /** Where names come from, by the flags that are on the line already; undefined where nobody is logged in. */
  readonly source: (flags: Readonly<Record<string, string>>) => Promise<NameSource | undefined>;
}

/** Longest line that is looked at. */
const maxLine = 64 * 1024;
const maxProfiles = 100;

/** The profile that `--proxy`, else `TELEPORT_PROXY`, else the current one names; its file may not be there. */
export async function profileMeant(home: ClientHome, env: Environment, flag: string | undefined): Promise<string | undefined> {
  const asked = flag ?? env["TELEPORT_PROXY"];
  return asked === undefined || asked === "" ? currentProfileName(home) : profileName(parseProxyAddress(asked));
}

/** Gateways, or users whose logins are kept, by the profiles of this home. */
async function fromProfiles(home: ClientHome, what: "profile" | "kept-user"): Promise<readonly Name[]> {
  const files = (await readdir(home.path).catch(() => [])).filter((file) => file.endsWith(".yaml") && !file.startsWith(".")).slice(0, maxProfiles);
  const heads = await Promise.all(files.map((file) => readProfileHead(home, file.slice(0, -".yaml".length)).catch(() => undefined)));
  return heads.flatMap((head): Name[] => {
    const gateway = head?.web_proxy_addr?.replace(/:3080$/, "");
    const [name, note] = what === "profile" ? [gateway, head?.user] : [head?.user, gateway];
    return name === undefined ? [] : [{ name, note }];
  });
}

async function answer(options: Completing, words: readonly string[], current: string): Promise<{ readonly answer: Answer; readonly attached: string }> {
  const { manifest, places, home, env, clock, wait } = options;
  const { spot, values } = walk(manifest, words, current);
  const lookUp: LookUp = async (kind) => {
    if (kind === "profile" || kind === "kept-user") return fromProfiles(home, kind);
    const source = await options.source(values);
    if (!source) return [];
    const lists = await namesSoon(source, [kind], { env, clock, wait });
    return lists[kind]?.names ?? [];
  };
  return { answer: await candidatesAt(manifest, places, spot, current, lookUp), attached: spot.kind === "value" ? spot.attached : "" };
}

/**
 * What the script of a shell is answered. bash gives `COMP_WORDBREAKS` and the line up to the cursor; the others the words before the cursor and the one at
 * it, unquoted. The first line says whether files are completed too (`:none`, `:files`, `:folders`), the rest are candidates, a line each. Throws what the
 * home's files are damaged by.
 */
export async function completeFor(shell: Shell, args: readonly string[], options: Completing): Promise<string> {
  if (args.join(" ").length > maxLine) return ":none\n";
  if (shell === "bash") {
    const [breaks = "", text = ""] = args;
    const line = readBashLine(text);
    if (line.redirected) return ":files\n";
    return renderBash((await answer(options, line.words, line.current)).answer, line, breaks);
  }
  const current = args.at(-1) ?? "";
  const found = await answer(options, args.slice(0, -1), current);
  return shell === "zsh" ? renderZsh(found.answer, found.attached) : renderFish(found.answer);
}

