import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, tctlPath, tshPath } from "../support/world.ts";

/** Every command, by the map that help is made from, where there is no terminal, no login and no gateway. */
const commands = (
  await Promise.all(
    ["tsh", "tctl"].map(async (program) => {
      const source = await readFile(fileURLToPath(new URL(`../../packages/${program}/src/commands.ts`, import.meta.url)), "utf8");
      return [...source.matchAll(/^ {4}"?([a-z:-]+)"?: \{ summary:/gm)].map(([, id = ""]) => `${program} ${id.replaceAll(":", " ")}`);
    }),
  )
).flat();

/** Print no data: they do something, or stream what is not a table. */
const withoutData = /^tsh (logout|agent (start|stop|run|env|install|uninstall|lock|unlock)|completion|kube login|kube credentials|bot start|play|join|recordings export|config|proxy ssh|scp|sftp)$|^tctl (rm|edit|completion|lock|locks rm|users rm|bots rm|tokens rm|nodes rm|sessions (watch|kill)|audit witness|auth sign|users mfa .*|kubeconfig create|sso .*)$/;

describe("every command", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "gatehouse-walk-"));
  });
  afterAll(async () => {
    await command("tsh agent stop");
    await rm(home, { recursive: true, force: true });
  });

  const command = (words: string): Promise<Outcome> => {
    const [name, ...args] = words.split(" ");
    const env = cleanEnv({ HOME: home, XDG_STATE_HOME: home, TELEPORT_DATA_DIR: join(home, "none"), TELEPORT_CONFIG_FILE: join(home, "none.yaml") });
    return run(process.execPath, [name === "tsh" ? tshPath : tctlPath, ...args], { env, cwd: home });
  };

  it("is found", () => expect(commands.length).toBeGreaterThan(35));

  it.each(commands.filter((words) => !["tsh proxy", "tsh agent run"].includes(words)))("%s neither asks nor waits where nobody can answer, and ends with a code that has a meaning", async (words) => {
    const { code, signal, stdout, stderr } = await command(words);
    expect([words, signal]).toEqual([words, null]);
    expect([0, 1, 2, 3, 4, 5, 6, 7]).toContain(code);
    // Control sequences are what prompts, colours and spinners are made of.
    expect(stdout + stderr).not.toContain("\u001b");
    // What the doctor finds is its data.
    const said = words === "tsh doctor" ? stdout : stderr;
    if (code !== 0) expect([words, said]).toEqual([words, expect.stringMatching(/^✖ |\n✖ |^tsh: /) as string]);
  });

  it.each(commands.filter((words) => !withoutData.test(words)))("%s prints for programs too", async (words) => {
    expect((await command(`${words} --help`)).stdout).toMatch(/--format=?|--format /);
  });
});
