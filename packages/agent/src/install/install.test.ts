import { mkdtemp, readFile, rm, stat, writeFile, chmod } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientHome } from "@gatehouse/core/client/lean";
import { requireTool } from "../../../core/src/testing/index.ts";
import { installService, planService, uninstallService } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-install-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (env: NodeJS.ProcessEnv = {}, launcher = '/opt/100%/a"b/$x/my tsh'): Parameters<typeof planService>[1] => {
  const all = { HOME: folder, ...env };
  return { env: all, home: clientHome(all), launcher, uid: 501 };
};

describe("starting the agent at login", () => {
  it("by systemd, with words that it reads as they are", async () => {
    const { file, enable, disable } = planService("linux", options({ TELEPORT_HOME: join(folder, "other home") }));
    expect(file?.path).toBe(join(folder, ".config/systemd/user/gatehouse-agent.service"));
    expect(file?.text).toContain('ExecStart="/opt/100%%/a\\"b/$x/my tsh" "agent" "run" "--log-file"\n');
    expect(file?.text).toContain(`Environment="TELEPORT_HOME=${join(folder, "other home")}"\n`);
    expect(file?.text).toContain("LimitCORE=0\n");
    expect([enable.at(-1), disable.at(-1)]).toEqual([["systemctl", "--user", "enable", "gatehouse-agent.service"], ["systemctl", "--user", "disable", "gatehouse-agent.service"]]);
  });

  it("by a unit that systemd itself finds right", async () => {
    if (!requireTool("systemd-analyze", "Debian: systemd")) return;
    const program = join(folder, "tsh 100% $x");
    await writeFile(program, "#!/bin/sh\n");
    await chmod(program, 0o755);
    const { file } = planService("linux", options({}, program));
    const path = join(folder, "gatehouse-agent.service");
    await writeFile(path, file?.text ?? "");
    const { stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--user", "--man=no", "--generators=no", path], { env: { ...process.env, XDG_RUNTIME_DIR: folder } });
    expect(stderr.split("\n").filter((line) => line.includes("gatehouse-agent"))).toEqual([]);
  });

  it("by launchd and by the task scheduler", () => {
    const mac = planService("darwin", options({}, "/opt/a&b/tsh"));
    expect(mac.file?.path).toBe(join(folder, "Library/LaunchAgents/dev.gatehouse.agent.plist"));
    expect(mac.file?.text).toContain("    <string>/opt/a&amp;b/tsh</string>\n    <string>agent</string>\n    <string>run</string>");
    for (const limits of ["Soft", "Hard"]) expect(mac.file?.text).toContain(`<key>${limits}ResourceLimits</key><dict><key>Core</key><integer>0</integer></dict>`);
    expect(mac.enable).toEqual([["launchctl", "bootstrap", "gui/501", mac.file?.path]]);
    expect(mac.disable).toEqual([["launchctl", "bootout", "gui/501/dev.gatehouse.agent"]]);
    const windows = planService("win32", options({}, "C:\\Program Files\\tsh.cmd"));
    expect(windows.enable[0]?.at(-1)).toBe('"C:\\Program Files\\tsh.cmd" "agent" "run" "--log-file"');
    expect(() => planService("aix", options())).toThrow(/aix/);
  });

  it("is written, and taken back; where the system refuses nothing is left", async () => {
    const plan = planService("linux", options());
    const path = plan.file?.path ?? "";
    const ran: (readonly string[])[] = [];
    await installService(plan, async (words) => void ran.push(words));
    expect(await readFile(path, "utf8")).toBe(plan.file?.text);
    await uninstallService(plan, async (words) => void ran.push(words));
    expect(ran).toEqual([...plan.enable, ...plan.disable]);
    await expect(stat(path)).rejects.toThrow("ENOENT");
    const refuse = (): Promise<void> => Promise.reject(new Error("Failed to connect to bus"));
    await expect(installService(plan, refuse)).rejects.toThrow(/systemd did not take the agent in: Failed to connect to bus/);
    await expect(stat(path)).rejects.toThrow("ENOENT");
    await expect(uninstallService(plan, refuse)).rejects.toThrow(/systemd did not let the agent go/);
  });
});
