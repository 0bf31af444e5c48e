import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GatehouseError, manualClock } from "@gatehouse/core/base";
import { clientHome, type ClientHome, type LoginRecord } from "@gatehouse/core/client/lean";
import { noKeys } from "@gatehouse/core/client/ssh";
import { createEmbedded, type EmbeddedTools } from "./embedded.ts";
import type { HeldLogin } from "./held-login.ts";

let folder: string;
let home: ClientHome;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-embedded-"));
  home = clientHome({ HOME: folder });
  await mkdir(home.path, { mode: 0o700 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const clock = manualClock(Date.parse("2026-11-24T09:00:00Z"));
const end = clock.now() + 3_600_000;
const held = (profile: string, expires = end): HeldLogin => {
  const record: LoginRecord = { version: 1, proxy: `${profile}:3080`, cluster: "example", username: "ana", privateKey: "K", sshCertificate: "S", tlsCertificate: "T", hostKeys: [], hostCertificates: [], issued: 0, expires };
  return { profile, keystore: "file", proxy: record.proxy, username: "ana", cluster: "example", issued: 0, expires, renewableUntil: undefined, keys: noKeys, text: () => "", record: () => record, wipe: () => undefined };
};
const profile = (name: string, more = ""): Promise<void> => writeFile(home.profile(name), `web_proxy_addr: ${name}:3080\n${more}`);

function create(renew: (name: string) => readonly string[]): { readonly entries: ReturnType<typeof createEmbedded>; readonly asked: string[]; readonly said: string[] } {
  const [asked, said]: [string[], string[]] = [[], []];
  const ask: EmbeddedTools["renew"] = (name) => {
    asked.push(name);
    return new Promise((resolve) => resolve(renew(name)));
  };
  return { entries: createEmbedded({ home, clock, log: (text) => said.push(text), renew: ask }), asked, said };
}

it("entries of a login that was read are looked after once, where its profile says that there are some", async () => {
  const { entries, asked, said } = create((name) => (name === "gw" ? ["/home/ana/.kube/config"] : []));
  await profile("gw", "embedded_in:\n  - /home/ana/.kube/config\n");
  await profile("plain");
  await profile("gw+bo", "embedded_in:\n  - /home/ana/.kube/config\n");
  const logins = ["gw", "plain", "gw+bo", "gone"].map((name) => held(name));
  for (const login of logins) entries.take(login);
  await entries.run(logins);
  await entries.run(logins);
  expect(asked).toEqual(["gw"]);
  expect(said).toEqual(["wrote the newest certificate for gw:3080 into /home/ana/.kube/config"]);
  // Renewed.
  entries.take(held("gw"));
  await entries.run(logins);
  expect(asked).toEqual(["gw", "gw"]);
  entries.take(held("gw", clock.now()));
  await entries.run([held("gw", clock.now())]);
  expect(asked).toEqual(["gw", "gw"]);
});

it("a kubeconfig that cannot be changed now is tried again later", async () => {
  let problem: GatehouseError | undefined = new GatehouseError("internal", "the lock is held");
  const { entries, asked, said } = create(() => {
    if (problem) throw problem;
    return [];
  });
  await profile("gw", "embedded_in:\n  - /home/ana/.kube/config\n");
  const login = held("gw");
  entries.take(login);
  await entries.run([login]);
  await entries.run([login]);
  expect([asked.length, said]).toEqual([1, ["could not write the newest certificate for gw:3080 into kubeconfig: the lock is held"]]);
  problem = undefined;
  clock.advance(300_000);
  await entries.run([login]);
  await entries.run([login]);
  expect(asked.length).toBe(2);
});
