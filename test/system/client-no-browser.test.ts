import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClientWorld, newMachine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["example"]);
});
afterAll(() => world.close());

const ssh = { BROWSER: "", SSH_CONNECTION: "192.0.2.7 51234 192.0.2.9 2222", SSH_TTY: "/dev/pts/1" };
const args = (): readonly string[] => ["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=github", "--keystore=file"];

describe("a login over SSH", () => {
  it("shows the link with the line that forwards its port, and ends well when a browser follows it", async () => {
    const [ana, desktop] = [await newMachine(world, "ana", ssh), await newMachine(world, "ana")];
    const terminal = spawn(process.execPath, [tshPath, ...args()], { env: { ...ana.env, TERM: "xterm" }, cols: 300, rows: 40 });
    let shown = "";
    let followed: Promise<unknown> | undefined;
    terminal.onData((text) => {
      shown += text;
      const url = /Open this link in a browser:\s+(http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{8})/.exec(shown)?.[1];
      if (url === undefined || !shown.includes("--headless --proxy=") || followed) return;
      // The person's browser, which their own machine's port leads to here.
      followed = run("sh", ["-c", (desktop.env["BROWSER"] ?? "").replace("%s", url)], { env: desktop.env });
    });
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    expect({ exitCode, shown: exitCode === 0 ? "" : shown }).toEqual({ exitCode: 0, shown: "" });
    expect(await followed).toMatchObject({ code: 0 });
    expect(shown).toMatch(/ssh -N -p 2222 -L (\d+):127\.0\.0\.1:\1 \S+@192\.0\.2\.9/);
  });

  it("without a terminal ends at once, with what to do", async () => {
    const ana = await newMachine(world, "ana", ssh);
    expect(await ana.tsh(args())).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/no browser can be started: this is an SSH session[^]*--browser=none[^]*--headless/) as string });
  });
});
