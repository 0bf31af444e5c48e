import { describe, expect, it } from "vitest";
import { systemRandom } from "../base/index.ts";
import { ssoLogin } from "./sso.ts";
import { plainStyle } from "./terminal/index.ts";

describe("a browser login that nobody finishes", () => {
  it.each([
    ["none", "run it again, and open the link in a browser on this machine"],
    ["/bin/true", "run it again; --browser=none prints the link alone"],
  ])("with --browser=%s is a failure of its own, not an unreachable gateway", async (browser, hint) => {
    const sink = { write: () => true };
    const web = { consoleLogin: () => Promise.resolve({ redirect_url: "https://gw.example.com/start" }) } as unknown as Parameters<typeof ssoLogin>[0]["web"];
    const login = ssoLogin({
      web,
      address: { host: "gw.example.com", port: 3080, text: "gw.example.com:3080" },
      kind: "github",
      connector: "github",
      display: "GitHub",
      publicKey: "ssh-ed25519 AAAA",
      ttl: 3_600_000,
      env: {},
      output: { stdout: sink, stderr: sink, style: plainStyle, animated: false },
      random: systemRandom,
      browser,
      bindAddress: undefined,
      wait: 50,
    });
    await expect(login).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("timed out") as string, hint });
  });
});
