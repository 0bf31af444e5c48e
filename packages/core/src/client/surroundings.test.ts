import { describe, expect, it } from "vitest";
import { linkAdvice, noBrowserReason } from "./browser-advice.ts";
import { gatherFacts, placeOf, type Facts } from "./surroundings.ts";

const plain: Facts = { platform: "linux", env: {}, kernel: "6.1.0-18-amd64\n", cgroup: "0::/init.scope\n", containerFile: false, windowsPrograms: [], user: "ana" };
const connection = { SSH_CONNECTION: "192.0.2.7 51234 192.0.2.9 22", SSH_TTY: "/dev/pts/1" };
const wslKernel = "5.15.153.1-microsoft-standard-WSL2\n";
const wslview = ["/usr/bin/wslview"];

describe("where this is", () => {
  it.each<[string, Partial<Facts>, unknown]>([
    ["an X display", { env: { DISPLAY: ":0" } }, { kind: "desktop" }],
    ["a Wayland display", { env: { WAYLAND_DISPLAY: "wayland-0" } }, { kind: "desktop" }],
    ["a Mac", { platform: "darwin" }, { kind: "desktop" }],
    ["Windows", { platform: "win32" }, { kind: "desktop" }],
    ["SSH", { env: connection }, { kind: "ssh", target: "ana@192.0.2.9", port: undefined }],
    ["SSH on another port", { env: { SSH_CONNECTION: "2001:db8::1 5 2001:db8::2 2222" } }, { kind: "ssh", target: "ana@2001:db8::2", port: 2222 }],
    ["SSH to a Mac", { platform: "darwin", env: connection }, { kind: "ssh", target: "ana@192.0.2.9", port: undefined }],
    ["SSH with a terminal alone", { env: { SSH_TTY: "/dev/pts/1" } }, { kind: "ssh", target: undefined, port: undefined }],
    ["SSH with a forwarded display", { env: { ...connection, DISPLAY: "localhost:10.0" } }, { kind: "desktop" }],
    ["SSH with what no server writes", { env: { SSH_CONNECTION: "1 2 -oProxyCommand=x 22" } }, { kind: "ssh", target: undefined, port: undefined }],
    ["SSH of an account with an odd name", { env: connection, user: "-x;y" }, { kind: "ssh", target: undefined, port: undefined }],
    ["SSH into a container", { env: connection, containerFile: true }, { kind: "ssh", target: "ana@192.0.2.9", port: undefined }],
    ["WSL", { kernel: wslKernel, windowsPrograms: [...wslview, "/mnt/c/Windows/System32/cmd.exe"] }, { kind: "wsl", openers: [["/usr/bin/wslview"], ["/mnt/c/Windows/System32/cmd.exe", "/c", "start", ""]] }],
    ["WSL 1", { kernel: "4.4.0-19041-Microsoft\n" }, { kind: "wsl", openers: [] }],
    ["WSL with a display of its own", { kernel: wslKernel, env: { DISPLAY: ":0" }, windowsPrograms: wslview }, { kind: "wsl", openers: [wslview] }],
    ["a container in WSL", { kernel: wslKernel, containerFile: true }, { kind: "container" }],
    ["SSH into WSL", { kernel: wslKernel, env: connection }, { kind: "ssh", target: "ana@192.0.2.9", port: undefined }],
    ["Docker or podman, by its file", { containerFile: true }, { kind: "container" }],
    ["podman or systemd-nspawn, by its variable", { env: { container: "podman" } }, { kind: "container" }],
    ["a pod, by its variable", { env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } }, { kind: "container" }],
    ["Docker, by its cgroup", { cgroup: "12:pids:/docker/0123\n0::/system.slice\n" }, { kind: "container" }],
    ["Kubernetes, by its cgroup", { cgroup: "11:cpu:/kubepods.slice/kubepods-pod1.slice/x\n" }, { kind: "container" }],
    ["a service whose name says docker", { cgroup: "0::/system.slice/my-docker-proxy.service\n" }, { kind: "no-display" }],
    ["a container with the person's display", { containerFile: true, env: { DISPLAY: ":0" } }, { kind: "desktop" }],
    ["a console without a display", {}, { kind: "no-display" }],
    ["empty variables", { env: { DISPLAY: "", SSH_TTY: "", container: "" } }, { kind: "no-display" }],
  ])("%s", (_, facts, place) => {
    expect(placeOf({ ...plain, ...facts })).toEqual(place);
  });

  it("is found out on this machine without an error", async () => {
    expect(["desktop", "ssh", "wsl", "container", "no-display"]).toContain(placeOf(await gatherFacts(process.env)).kind);
  });
});

describe("advice about the link", () => {
  const link = { url: "http://127.0.0.1:40123/0a1b2c3d", proxy: "gw.example.com" };

  it("is the whole line to run, and the way without a port", () => {
    const advice = linkAdvice({ kind: "ssh", target: "ana@192.0.2.9", port: 2222 }, link);
    expect(advice).toContain("\n  ssh -N -p 2222 -L 40123:127.0.0.1:40123 ana@192.0.2.9\n");
    expect(advice).toContain("--bind-addr=127.0.0.1:40123");
    expect(advice).toContain("tsh login --headless --proxy=gw.example.com\n");
    expect(linkAdvice({ kind: "ssh", target: undefined, port: undefined }, { ...link, url: "http://[::1]:5/0a1b2c3d" })).toContain("ssh -N -L [::1]:5:[::1]:5 <this machine>\n");
  });

  it("fits the place, and there is none where a browser opens", () => {
    expect(linkAdvice({ kind: "desktop" }, link)).toBe("");
    expect(linkAdvice({ kind: "container" }, link)).toContain("--headless");
    expect(linkAdvice({ kind: "no-display" }, link)).toContain("ssh -N -L 40123:127.0.0.1:40123 <this machine>");
    expect(linkAdvice({ kind: "wsl", openers: [] }, link)).toContain("wslview");
    expect([noBrowserReason({ kind: "desktop" }), noBrowserReason({ kind: "wsl", openers: [["wslview"]] })]).toEqual([undefined, undefined]);
    for (const place of [{ kind: "ssh", target: undefined, port: undefined }, { kind: "wsl", openers: [] }, { kind: "container" }, { kind: "no-display" }] as const) expect(noBrowserReason(place)).toMatch(/./);
  });
});
