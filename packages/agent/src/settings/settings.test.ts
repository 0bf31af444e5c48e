import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientHome, type ClientHome } from "@gatehouse/core/client/lean";
import { changeSettings, openSettings, readSettings, settingsPath } from "./index.ts";

let home: ClientHome;
beforeEach(async () => {
  home = clientHome({ HOME: await mkdtemp(join(tmpdir(), "gatehouse-settings-")) });
});
afterEach(() => rm(dirname(home.path), { recursive: true, force: true }));

async function write(text: string): Promise<void> {
  await mkdir(dirname(settingsPath(home)), { recursive: true });
  await writeFile(settingsPath(home), text);
}

const usual = { relogin: "ask", agent: "on", confirm: false, notifications: "on" };

describe("settings", () => {
  // The first of all: in a process that has read no settings yet, what reads them is loaded meanwhile.
  it("are seen by all who look at once, also by those who come while the file is read", async () => {
    const live = await openSettings(home, () => undefined);
    await write("relogin: agent\n");
    const seen = await Promise.all(Array.from({ length: 40 }, async () => {
      await live.refresh();
      return live.current.relogin;
    }));
    expect(new Set(seen)).toEqual(new Set(["agent"]));
  });

  it("are the usual ones where nothing is said", async () => {
    expect(await readSettings(home)).toEqual(usual);
    await write("# nothing yet\n");
    expect(await readSettings(home)).toEqual(usual);
  });

  it("are written without touching what else is there", async () => {
    await write("# mine\nrelogin: ask # for now\n\nconfirm: true\n");
    expect(await changeSettings(home, ["relogin=agent", "notifications=off"])).toEqual({ ...usual, relogin: "agent", confirm: true, notifications: "off" });
    expect(await readFile(settingsPath(home), "utf8")).toBe("# mine\nrelogin: agent # for now\n\nconfirm: true\nnotifications: off\n");
    expect(await changeSettings(home, ["confirm=false"])).toMatchObject({ confirm: false, relogin: "agent" });
  });

  it.each([
    ["relgin: agent\n", /there is no setting "relgin"; did you mean "relogin"\?/],
    ["relogin: maybe\n", /relogin is ask or agent/],
    ["confirm: often\n", /confirm is true or false/],
    ["- relogin\n", /no list of settings/],
    ["relogin: [\n", /is no YAML/],
  ])("refuse %j, and name the file", async (text, message) => {
    await write(text);
    await expect(readSettings(home)).rejects.toThrow(message);
    await expect(readSettings(home)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining(settingsPath(home)) as string });
    await expect(changeSettings(home, ["relogin=agent"])).rejects.toThrow(message);
    expect(await readFile(settingsPath(home), "utf8")).toBe(text);
  });

  it.each([
    ["relogin", /sets nothing/],
    ["relgin=agent", /there is no setting "relgin"; did you mean "relogin"\?/],
    ["relogin=", /relogin is ask or agent, not ""/],
    ["confirm=yes", /confirm is true or false, not "yes"/],
  ])("refuse %j on the command line", async (change, message) => {
    await expect(changeSettings(home, [change])).rejects.toThrow(message);
    await expect(changeSettings(home, [change])).rejects.toMatchObject({ code: "usage" });
  });

  it("are seen by a process that stays, which keeps what it had where the file breaks", async () => {
    const lines: string[] = [];
    const live = await openSettings(home, (line) => lines.push(line));
    expect(live.current).toEqual(usual);
    await changeSettings(home, ["relogin=agent"]);
    await live.refresh();
    expect(live.current.relogin).toBe("agent");
    await write("relogin: maybe\n");
    await live.refresh();
    await live.refresh();
    expect(live.current.relogin).toBe("agent");
    expect(lines).toEqual([expect.stringContaining("relogin is ask or agent")]);
    await rm(settingsPath(home));
    await live.refresh();
    expect(live.current).toEqual(usual);
  });
});
