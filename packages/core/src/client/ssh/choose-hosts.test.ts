import { describe, expect, it } from "vitest";
import { chooseHosts, parseHostTarget } from "./index.ts";

const web1 = { id: "6f0e", hostname: "web-1", addr: "10.0.0.1:22", labels: { env: "staging" }, logins: ["ana", "deploy"] };
const web2 = { id: "7a1b", hostname: "web-2", addr: "[fd00::2]:2222", labels: { env: "staging", role: "db" }, logins: ["deploy"] };

function choose(text: string, options: { readonly logins?: readonly string[]; readonly localUser?: string } = {}): { readonly found: Promise<unknown>; asked(): number } {
  let asked = 0;
  const list = async (): Promise<readonly (typeof web1 | typeof web2)[]> => {
    asked++;
    return [web1, web2];
  };
  const found = chooseHosts({ target: parseHostTarget(text), cluster: "example", logins: options.logins, localUser: options.localUser ?? "nobody", list }).then((hosts) => hosts.map(({ target, login, port, shown, name }) => [target, login, port, shown, name]));
  return { found, asked: () => asked };
}

describe("choosing hosts", () => {
  it.each([
    ["root@web-1", {}, ["web-1", "root", undefined, "web-1", "web-1.example"]],
    ["root@web-1.example:2022", {}, ["web-1.example", "root", 2022, "web-1.example", "web-1.example"]],
    ["web-1", { logins: ["ana", "deploy"], localUser: "deploy" }, ["web-1", "deploy", undefined, "web-1", "web-1.example"]],
    ["web-1", { logins: ["ana"] }, ["web-1", "ana", undefined, "web-1", "web-1.example"]],
  ])("%s %j is known here: the gateway is not asked", async (text, options, expected) => {
    const { found, asked } = choose(text, options);
    expect(await found).toEqual([expected]);
    expect(asked()).toBe(0);
  });

  it.each([
    ["web-2", {}, [["7a1b", "deploy", undefined, "web-2", "web-2.example"]]],
    ["WEB-2.example", {}, [["7a1b", "deploy", undefined, "web-2", "web-2.example"]]],
    ["6f0e", { localUser: "ana" }, [["6f0e", "ana", undefined, "web-1", "web-1.example"]]],
    ["root@10.0.0.1", {}, [["6f0e", "root", undefined, "web-1", "web-1.example"]]],
    ["root@[fd00::2]", {}, [["7a1b", "root", undefined, "web-2", "web-2.example"]]],
    ["env=staging,role=db", {}, [["7a1b", "deploy", undefined, "web-2", "web-2.example"]]],
    ["root@env=staging", {}, [["6f0e", "root", undefined, "web-1", "web-1.example"], ["7a1b", "root", undefined, "web-2", "web-2.example"]]],
  ])("%s %j is asked of the gateway", async (text, options, expected) => {
    const { found, asked } = choose(text, options);
    expect(await found).toEqual(expected);
    expect(asked()).toBe(1);
  });

  it("says what to do where it cannot choose", async () => {
    await expect(choose("web-1").found).rejects.toMatchObject({ code: "usage", hint: expect.stringContaining("you may be ana, deploy") as string });
    await expect(choose("web-3").found).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining("did you mean") as string });
    await expect(choose("root@10.0.0.9").found).rejects.toMatchObject({ code: "not_found" });
    await expect(choose("env=prod").found).rejects.toMatchObject({ code: "not_found" });
    await expect(choose("=prod").found).rejects.toMatchObject({ code: "usage" });
  });

  it("asks which one where several are at an address, and tells them apart by the port", async () => {
    const beside = { ...web1, id: "8c2d", hostname: "web-3", addr: "10.0.0.1:2222" };
    const at = (text: string): Promise<unknown> => chooseHosts({ target: parseHostTarget(text), cluster: "example", logins: undefined, localUser: "ana", list: () => Promise.resolve([web1, beside]) });
    await expect(at("root@10.0.0.1")).rejects.toMatchObject({ code: "usage", hint: "call it by its name: web-1 (10.0.0.1:22), web-3 (10.0.0.1:2222)" });
    await expect(at("root@10.0.0.1:2222")).resolves.toMatchObject([{ shown: "web-3" }]);
    await expect(at("root@10.0.0.1:23")).rejects.toMatchObject({ code: "not_found" });
  });
});
