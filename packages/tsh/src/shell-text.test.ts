import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { guessShell, setVariable } from "./shell-text.ts";

describe("lines for a shell", () => {
  it("set what is meant, whatever is in it", () => {
    for (const value of ["/run/user/1000/gatehouse/ssh.sock", "/tmp/it's $HOME `id` \\ \"!x\" ü/s"]) {
      for (const shell of ["sh", "bash"]) expect(execFileSync(shell, ["-c", `${setVariable("sh", "A_NAME", value)}printenv A_NAME`], { encoding: "utf8" })).toBe(`${value}\n`);
    }
    expect(setVariable("fish", "A", "it's \\")).toBe("set -gx A 'it\\'s \\\\';\n");
    expect(setVariable("csh", "A", "it's!")).toBe("setenv A 'it'\\''s\\!';\n");
    expect(setVariable("powershell", "A", "it's")).toBe("$Env:A = 'it''s'\n");
    expect(() => setVariable("sh", "A", "a\nb")).toThrow(/control character/);
  });

  it("are for the shell that a person uses", () => {
    expect(["/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/tcsh", "/bin/csh", "/opt/pwsh"].map((path) => guessShell({ SHELL: path }))).toEqual(["sh", "sh", "fish", "csh", "csh", "powershell"]);
    expect(guessShell({})).toBe("sh");
  });
});
