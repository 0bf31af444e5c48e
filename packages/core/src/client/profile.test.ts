import { expect, it } from "vitest";
import { parseProfile } from "./profile.ts";

const whole = {
  web_proxy_addr: "gw.example.com:443",
  ssh_proxy_addr: "gw.example.com:443",
  kube_proxy_addr: "gw.example.com:443",
  user: "ana",
  auth_type: "github",
  cluster: "example",
  keystore: "memory",
  ca_pin: "sha256:00",
  roles: ["access"],
  logins: ["ana"],
  valid_until: "2026-06-01T12:00:00Z",
  kube_clusters: [{ name: "prod", server_name: "kube.prod", groups: ["developers"], refused: "no group" }],
};

it("a profile is taken as it is, with keys of other versions", () => {
  const given = { ...whole, site_name: ["of", { another: "version" }] };
  expect(parseProfile(given)).toBe(given);
  expect(parseProfile({ web_proxy_addr: "gw:443" })).toEqual({ web_proxy_addr: "gw:443" });
  expect(parseProfile({ ...whole, kube_clusters: [{ name: "prod", server_name: "s", groups: [] }] }).kube_clusters).toEqual([{ name: "prod", server_name: "s", groups: [] }]);
});

it.each([undefined, null, "text", 1, [whole]])("%j is no profile", (value) => {
  expect(() => parseProfile(value)).toThrow(expect.objectContaining({ code: "bad_parameter", message: "it holds no keys" }) as Error);
});

it("what is missing or wrong is named, the first alone", () => {
  expect(() => parseProfile({ user: 1 })).toThrow("web_proxy_addr is missing");
  for (const name of Object.keys(whole)) {
    for (const wrong of [null, 7, "x".repeat(1025), { a: "b" }, [7], [{ name: "prod" }]]) {
      expect(() => parseProfile({ ...whole, [name]: wrong })).toThrow(expect.objectContaining({ code: "bad_parameter", message: `${name} is not as it should be` }) as Error);
    }
  }
});

it("lists are as long as they may be, and not longer", () => {
  const names = (count: number): string[] => Array.from({ length: count }, String);
  expect(parseProfile({ ...whole, roles: names(1000) }).roles).toHaveLength(1000);
  expect(() => parseProfile({ ...whole, roles: names(1001) })).toThrow("roles is not");
  const cluster = (groups: readonly string[]): object => ({ name: "prod", server_name: "s", groups });
  expect(parseProfile({ ...whole, kube_clusters: [cluster(names(10_000))] }).kube_clusters).toHaveLength(1);
  for (const clusters of [[cluster(names(10_001))], names(10_001).map(() => cluster([]))]) expect(() => parseProfile({ ...whole, kube_clusters: clusters })).toThrow("kube_clusters is not");
});
