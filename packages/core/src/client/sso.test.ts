import { describe, expect, it } from "vitest";
import { systemRandom } from "../base/index.ts";
import { ssoLogin, type SsoOptions } from "./sso.ts";
import { plainStyle, type TextSink } from "./terminal/index.ts";

/** A login that the gateway begins and no browser ends. */
function endless(stderr: TextSink, options: Pick<SsoOptions, "place" | "browser"> & Partial<Pick<SsoOptions, "env">>): ReturnType<typeof ssoLogin> {
  const web = { consoleLogin: () => Promise.resolve({ redirect_url: "https://gw.example.com/start" }) } as unknown as SsoOptions["web"];
  return ssoLogin({
    web,
    proxy: "gw.example.com",
    kind: "github",
    connector: "github",
    display: "GitHub",
    publicKey: "ssh-ed25519 AAAA",
    ttl: 3_600_000,
    env: {},
    output: { stdout: stderr, stderr, style: plainStyle, animated: false },
    random: systemRandom,
    bindAddress: undefined,
    wait: 50,
    ...options,
  });
}

describe("a browser login that nobody finishes", () => {
  it.each([
    ["none", "run it again, and open the link in a browser on this machine"],
    ["/bin/true", "run it again; --browser=none prints the link alone"],
  ])("with --browser=%s is a failure of its own, not an unreachable gateway", async (browser, hint) => {
    const login = endless({ write: () => true }, { place: { kind: "desktop" }, browser });
    await expect(login).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("timed out") as string, hint });
  });
});

describe("a browser login where no browser can be started", () => {
  const start = (terminal: boolean, browser: string | undefined, env: Record<string, string> = {}): { readonly shown: () => string; readonly login: Promise<unknown> } => {
    let shown = "";
    const stderr = { write: (text: string) => (shown += text), isTTY: terminal };
    return { shown: () => shown, login: endless(stderr, { place: { kind: "ssh", target: "ana@192.0.2.9", port: undefined }, browser, env }) };
  };

  it("shows the link and how to reach it, and tries none", async () => {
    const { shown, login } = start(true, undefined);
    await expect(login).rejects.toMatchObject({ hint: expect.stringContaining("--headless") as string });
    expect(shown()).toMatch(/^Open this link in a browser:\n {2}http:\/\/127\.0\.0\.1:(\d+)\/[0-9a-f]{8}\nThis is an SSH session, .*\n {2}ssh -N -L \1:127\.0\.0\.1:\1 ana@192\.0\.2\.9\n/);
  });

  it("does not wait for what nobody can see, unless that is asked for", async () => {
    await expect(start(false, undefined).login).rejects.toMatchObject({ code: "unauthenticated", message: expect.stringContaining("SSH session") as string });
    const asked = start(false, "none");
    await expect(asked.login).rejects.toThrow(/timed out/);
    expect(asked.shown()).toContain("ssh -N -L ");
    const own = start(false, undefined, { BROWSER: "/bin/true" });
    await expect(own.login).rejects.toThrow(/timed out/);
    expect(own.shown()).toMatch(/^If the browser does not open, visit:\n.*\n$/);
  });
});
