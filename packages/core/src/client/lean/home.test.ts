import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { clientHome, parseProxyAddress, profileName } from "./home.ts";
import { readProfileHead } from "./profile-head.ts";

describe("a gateway's address", () => {
  it.each([
    ["teleport.example.com", "teleport.example.com:3080", "teleport.example.com"],
    ["Teleport.Example.com:443", "teleport.example.com:443", "teleport.example.com_443"],
    ["teleport.example.com:3080,3023", "teleport.example.com:3080", "teleport.example.com"],
    ["https://teleport.example.com:3080/", "teleport.example.com:3080", "teleport.example.com"],
    ["127.0.0.1:4000", "127.0.0.1:4000", "127.0.0.1_4000"],
    ["[::1]:4000", "[::1]:4000", "--1_4000"],
  ])("%s is read", (text, address, name) => {
    const parsed = parseProxyAddress(text);
    expect(parsed.text).toBe(address);
    expect(profileName(parsed)).toBe(name);
    expect(parseProxyAddress(parsed.text)).toEqual(parsed);
  });

  it.each(["", "a b", "host:0", "host:99999", "host:port", "../../etc", "user@host", "a/b", "http://x", "\u001b[31m"])("%j is refused", (text) => {
    expect(() => parseProxyAddress(text)).toThrow(/is not the address of a gateway/);
  });
});

it("the home is TELEPORT_HOME, else ~/.tsh", () => {
  expect(clientHome({ HOME: "/home/ana" })).toMatchObject({ path: "/home/ana/.tsh", isDefault: true, launcher: "/home/ana/.tsh/bin/tsh" });
  expect(clientHome({ HOME: "/home/ana", TELEPORT_HOME: "/srv/tsh" })).toMatchObject({ path: "/srv/tsh", isDefault: false });
});

it("the head of a profile is what a YAML parser would read, or absent where it is written in another style", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-head-"));
  const home = clientHome({ TELEPORT_HOME: folder });
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 40 }), fc.constantFrom("keychain", "file"), fc.string({ unit: "binary", maxLength: 20 }), async (user, keystore, other) => {
      const profile = { web_proxy_addr: "gw.example.com:3080", user, cluster: other, keystore, logins: [`keystore: ${other}`, "keystore: file"] };
      await writeFile(home.profile("gw"), stringify(profile, { lineWidth: 0 }));
      const head = await readProfileHead(home, "gw");
      expect(head).toMatchObject({ web_proxy_addr: "gw.example.com:3080", keystore });
      if (head?.user !== undefined && /^[\w.-]+$/.test(user)) expect(head.user).toBe(user);
    }),
  );
  await rm(folder, { recursive: true });
});
