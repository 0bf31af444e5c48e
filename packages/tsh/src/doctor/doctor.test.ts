import { describe, expect, it } from "vitest";
import { GatehouseError } from "@gatehouse/core/base";
import { readPluginPolicy } from "@gatehouse/core/client";
import { plainStyle } from "@gatehouse/core/client/terminal";
import { checked, failed, loginNeeded, ok, skipped, warning, type Finding } from "./finding.ts";
import { atLeast, checkNode } from "./machine.ts";
import { describeFindings, exitCodeFor, findingsData } from "./report.ts";

describe("a check", () => {
  it("that throws or does not end has failed, with the error's own advice", async () => {
    expect(await checked("x", 1000, () => Promise.reject(new GatehouseError("internal", "broken", { hint: "mend it" })))).toEqual({ check: "x", outcome: "failed", detail: "broken", fix: "mend it" });
    expect(await checked("x", 1000, () => Promise.reject(new GatehouseError("unauthenticated", "ended")))).toMatchObject({ outcome: "failed", login: true });
    expect(await checked("x", 5, () => new Promise(() => undefined))).toMatchObject({ outcome: "failed", detail: "no answer within 0.005 s" });
  });

  it("of versions compares numbers, not text", () => {
    const pairs = [["v1.32.4-dispatcher", "1.27.0"], ["1.9.0", "1.27.0"], ["9.2", "7.8"], ["10.0", "7.8"], ["7.8", "7.8"], ["v1.27.0+k3s1", "1.27.0"]] as const;
    expect(pairs.map(([have, want]) => atLeast(have, want))).toEqual([true, false, true, true, true, true]);
    expect([checkNode("v20.18.0").outcome, checkNode("v20.18.1").outcome, checkNode("v24.0.0").outcome]).toEqual(["failed", "ok", "ok"]);
  });
});

describe("what was found", () => {
  const named = (found: Omit<Finding, "check">, check: string): Finding => ({ check, ...found });
  const findings = [named(ok("fine"), "a"), named(warning("odd\u001b[2J", "look"), "long"), named(skipped("none"), "b")];
  it("is a line each, with what to do under it, and nothing that a terminal obeys", () => {
    expect(describeFindings(findings, plainStyle)).toBe("✔ a     fine\n! long  odd\\x1b[2J\n        → look\n- b     none\n");
    expect(findingsData(findings)).toMatchObject({ outcome: "warning", checks: [{ check: "a" }, { fix: "look" }, { outcome: "skipped" }] });
  });

  it("ends with 0 where nothing failed, with 3 where logging in is all, else with 1", () => {
    const login = named(loginNeeded("ended", "tsh login"), "login");
    expect([findings, [...findings, login], [login, named(failed("gone"), "x")]].map(exitCodeFor)).toEqual([0, 3, 1]);
  });
});

describe("what kuberc says of plugins", () => {
  it.each([
    ["", undefined, []],
    ["apiVersion: x\nkind: Preference\n", undefined, []],
    ["credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: a\n- command: /b\n- {}\n", "Allowlist", ["a", "/b"]],
  ])("%j", (text, policy, allowed) => {
    expect(readPluginPolicy(text)).toEqual({ policy, allowed });
  });

  it("is refused where it is none", () => {
    for (const text of ["[", "- 1", "credentialPluginAllowlist: 7"]) expect(() => readPluginPolicy(text)).toThrow(/kuberc cannot be read/);
  });
});
