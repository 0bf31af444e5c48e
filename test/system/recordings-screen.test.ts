import headless from "@xterm/headless";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { runInTerminal } from "../support/terminal.ts";
import { createWorld, tshPath, type Person, type World } from "../support/world.ts";

const { Terminal } = headless;
const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

const columns = 60;
const rows = 15;
/** A screenful of everything: colours, movement, margins, the alternate screen, wide characters, bare line feeds, things that are filtered. */
const script = [
  "printf '\\033[2J\\033[H\\033[1;31mred\\033[0m plain \\346\\274\\242\\345\\255\\227\\n'",
  "printf '\\033[5;10Hfive\\033[6;10H\\033[44msix\\033[0m'",
  "printf '\\033[3;8r\\033[8;1Hscroll\\n\\n\\n\\033[r'",
  "printf '\\033]52;c;aGk=\\007\\033]0;title\\007'",
  "printf '\\033[?1049h\\033[2Jalternate\\033[?1049l'",
  "printf '\\033[12;1Hdone\\033[38;5;200m!\\033[0m'",
].join("; ");

describe.skipIf(!cluster)("a replayed session", () => {
  let world: World;
  let ana: Person;
  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    await ana.logIn();
  });
  afterAll(() => world.close());

  /** What a terminal of this size gets to see of a command. */
  async function seen(command: string, args: readonly string[], height: number): Promise<string> {
    const { output, exited } = runInTerminal(command, args, { cols: columns, rows: height, env: { ...ana.env, TERM: "xterm-256color" } });
    await exited;
    return output();
  }

  async function screenOf(output: string, height: number): Promise<string[]> {
    const terminal = new Terminal({ cols: columns, rows: height, allowProposedApi: true });
    await new Promise<void>((resolve) => terminal.write(output, resolve));
    const { active } = terminal.buffer;
    return Array.from({ length: rows }, (_, y) => {
      const line = active.getLine(active.baseY + y);
      return Array.from({ length: columns }, (_x, x) => {
        const cell = line?.getCell(x);
        return `${cell?.getChars() ?? ""}${cell?.getFgColor() ?? -1}/${cell?.getBgColor() ?? -1}${cell?.isBold() ?? 0}`;
      }).join("|").replaceAll(/^-1\/-10|(?<=\|)-1\/-10/g, " -1/-10");
    });
  }

  it("gives the same screen in the player as it gave the person", async () => {
    const direct = await seen("kubectl", ["exec", "-ti", "shell", "--", "sh", "-c", script], rows);
    const original = await screenOf(direct, rows);
    expect(original.join("")).toMatch(/漢[^]*s[^]*d.*o.*n.*e/);
    const listed = JSON.parse((await ana.tsh(["recordings", "ls", "--format=json"])).stdout) as { sid: string; tty: boolean }[];
    expect(listed).toHaveLength(1);
    const played = await seen(process.execPath, [tshPath, "play", listed[0]!.sid, "--speed=100", "--skip-idle"], rows + 1);
    // Up to where the player gives the terminal back.
    const shown = played.slice(0, played.lastIndexOf("\x1b[?1049l\x1b[!p"));
    expect(await screenOf(shown, rows + 1)).toEqual(original);
    expect(played).not.toContain("\x1b]");
    const cast = await ana.tsh(["play", listed[0]!.sid, "--format=cast"]);
    const raw = cast.stdout.trim().split("\n").slice(1).map((line) => JSON.parse(line) as [number, string, string]).filter(([, code]) => code === "o").map(([, , text]) => text).join("");
    expect(await screenOf(raw, rows)).toEqual(original);
  });
});
