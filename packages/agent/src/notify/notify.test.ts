import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { requireTool } from "@gatehouse/core/testing";
import { notifyOverBus } from "@gatehouse/core/client/desktop";
import { desktopCommand, runQuietly } from "./desktop-command.ts";
import { createNotifier, type Note, type NotifierOptions } from "./index.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

const note: Note = { title: "Gatehouse", body: 'your login <b>ends</b> & "soon"; $(x) \'y\'' };

function shown(options: Partial<NotifierOptions>): { readonly notes: Note[]; readonly commands: string[]; show(): void } {
  const notes: Note[] = [];
  const commands: string[] = [];
  const notifier = createNotifier({
    env: { DISPLAY: ":0" },
    platform: "linux",
    isOn: () => Promise.resolve(true),
    log: () => undefined,
    run: (command) => Promise.resolve(void commands.push(command.program)),
    overBus: (_env, each) => Promise.resolve(void notes.push(each)),
    ...options,
  });
  return { notes, commands, show: () => notifier.show(note) };
}

describe("notes on the desktop", () => {
  it("are shown where somebody sees them: not in CI, without a desktop, or where they are turned off", async () => {
    const seen = async (options: Partial<NotifierOptions>): Promise<number> => {
      const { notes, commands, show } = shown(options);
      show();
      await new Promise((resolve) => setImmediate(resolve));
      return notes.length + commands.length;
    };
    expect([await seen({}), await seen({ env: { WAYLAND_DISPLAY: "wayland-0" } }), await seen({ env: {}, platform: "darwin" }), await seen({ env: {}, platform: "win32" })]).toEqual([1, 1, 1, 1]);
    expect([await seen({ env: {} }), await seen({ env: { DISPLAY: ":0", CI: "true" } }), await seen({ env: { CI: "1" }, platform: "darwin" }), await seen({ isOn: () => Promise.resolve(false) })]).toEqual([0, 0, 0, 0]);
  });

  it("that fail are logged, and nothing else happens", async () => {
    const said: string[] = [];
    const { show } = shown({ overBus: () => Promise.reject(new Error("no bus")), log: (text) => said.push(text) });
    show();
    await new Promise((resolve) => setImmediate(resolve));
    expect(said).toEqual(["a note could not be shown: no bus"]);
  });

  it("reach macOS as arguments and Windows as variables, never as a part of a script", () => {
    const mac = desktopCommand("darwin", note);
    expect(mac?.args.slice(-2)).toEqual([note.title, note.body]);
    expect(mac?.args[1]).not.toContain("login");
    const windows = desktopCommand("win32", note);
    expect(windows?.env).toEqual({ GATEHOUSE_TITLE: note.title, GATEHOUSE_BODY: note.body });
    const script = Buffer.from(windows?.args.at(-1) ?? "", "base64").toString("utf16le");
    expect(script).toContain("CreateToastNotifier");
    expect(script).not.toContain("login");
    expect(desktopCommand("linux", note)).toBeUndefined();
  });

  it("are run by programs that may fail", async () => {
    await runQuietly({ program: process.execPath, args: ["-e", ""], env: {} });
    await expect(runQuietly({ program: process.execPath, args: ["-e", "process.exit(3)"], env: {} })).rejects.toThrow("ended with code 3");
    await expect(runQuietly({ program: "/nowhere/osascript", args: [], env: {} })).rejects.toThrow("ENOENT");
  });
});

describe.skipIf(!(requireTool("dbus-daemon", "Debian: dbus") && requireTool("dbus-monitor", "Debian: dbus-bin")))("over the session bus", () => {
  it("a real bus takes the call and hands it on as it was meant", async () => {
    const daemon = spawn("dbus-daemon", ["--session", "--nofork", "--print-address"], { stdio: ["ignore", "pipe", "ignore"] });
    children.push(daemon);
    const [address] = (await once(daemon.stdout, "data")) as [Buffer];
    const env = { DBUS_SESSION_BUS_ADDRESS: address.toString("utf8").trim() };
    const monitor = spawn("dbus-monitor", ["--session", "interface='org.freedesktop.Notifications'"], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
    children.push(monitor);
    let seen = "";
    monitor.stdout.setEncoding("utf8").on("data", (text: string) => (seen += text));
    // It says when it listens: by the name that it was given and lost.
    while (!seen.includes("NameLost")) await once(monitor.stdout, "data");
    await expect(notifyOverBus(env, note)).rejects.toThrow("the desktop shows no notes (org.freedesktop.DBus.Error.ServiceUnknown)");
    while (!/int32 -1/.test(seen)) await once(monitor.stdout, "data");
    expect(seen).toContain("member=Notify");
    expect(seen.slice(seen.indexOf("member=Notify")).split("\n").slice(1, 12).map((line) => line.trim()).join(" ")).toBe(
      'string "Gatehouse" uint32 0 string "" string "Gatehouse" string "your login &lt;b&gt;ends&lt;/b&gt; &amp; "soon"; $(x) \'y\'" array [ ] array [ ] int32 -1 ',
    );
  });

  it("no bus, and one that hangs up, are errors that say so", async () => {
    await expect(notifyOverBus({}, note)).rejects.toThrow("no session bus");
    await expect(notifyOverBus({ DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere/bus" }, note)).rejects.toThrow("ENOENT");
  });
});
