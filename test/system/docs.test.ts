import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "@gatehouse/core/config";
import { parseResources } from "@gatehouse/core/resources";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { run } from "../support/process.ts";
import { hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { cleanEnv, createWorld, tctlPath, teams, tshPath, type World } from "../support/world.ts";

/** Every fenced example of the documents: YAML is loaded by what would read it, commands are run in order against a real gateway. */
const folder = fileURLToPath(new URL("../../docs", import.meta.url));

interface Example {
  readonly line: number;
  readonly info: string;
  readonly text: string;
}

function examplesOf(markdown: string): Example[] {
  return [...markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length,
    info: (match[1] ?? "").trim(),
    text: match[2] ?? "",
  }));
}

const pages = new Map<string, readonly Example[]>();
for (const name of (await readdir(folder)).filter((file) => file.endsWith(".md")).sort()) {
  pages.set(name, examplesOf(await readFile(join(folder, name), "utf8")));
}

/** The documents' connector, at the stand-in instead of github.com. */
function atStandIn(text: string, { github, proxy }: World): string {
  return text
    .replace(/client_id: .*/, `client_id: ${github.clientId}`)
    .replace(/client_secret: .*/, `client_secret: ${github.clientSecret}\n  endpoint_url: ${github.url}\n  api_endpoint_url: ${github.apiUrl}`)
    .replace("teleport.example.com:3080", proxy);
}

const hasOpenSsh = ["sshd", "ssh", "scp", "sftp"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client, and /usr/sbin on PATH"));
const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

describe("examples in docs", () => {
  it("are of kinds that this test runs", () => {
    const kinds = new Set([...pages.values()].flat().map((example) => example.info));
    expect([...kinds].filter((kind) => !["yaml", "yaml elsewhere", "console", "console admin"].includes(kind))).toEqual([]);
    expect(kinds.size).toBe(4);
  });

  for (const [page, examples] of pages) {
    for (const { line, text } of examples.filter(({ info }) => info === "yaml")) {
      it(`${page}:${line} loads`, async () => {
        const name = /^# (\S+)/.exec(text)?.[1] ?? "example.yaml";
        const value = parseAllDocuments(text)[0]?.toJS() as Record<string, unknown>;
        if ("apiVersion" in value) {
          expect(value["kind"]).toBe("ClusterRole");
          if (!cluster) return;
          const applied = await run("kubectl", ["--kubeconfig", cluster.adminKubeconfig, "apply", "--dry-run=server", "-f", "-"], { input: text });
          expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining("clusterrolebinding") as string });
        }
        else if ("kind" in value) expect(parseResources(text, name).length).toBe(1);
        else expect(loadConfig(text, name).warnings).toEqual([]);
      });
    }
  }

  for (const [page, examples] of pages) {
    for (const { line, text } of examples.filter(({ info }) => info === "yaml elsewhere")) {
      it(`${page}:${line} is YAML, and its commands have the flags that it gives them`, async () => {
        for (const document of parseAllDocuments(text)) expect(document.errors).toEqual([]);
        for (const [, words = "", flags = ""] of text.matchAll(/\btsh,? ((?:[a-z]+[, ]+)+)((?:--[^\n\]]+)?)/g)) {
          const help = (await run(process.execPath, [tshPath, ...words.split(/[, ]+/).filter((word) => word !== "" && word !== "staging"), "--help"])).stdout;
          for (const [flag] of flags.matchAll(/--[a-z-]+/g)) expect(help).toContain(flag);
        }
      });
    }
  }

  describe.skipIf(!cluster)("commands", () => {
    let world: World;
    const hosts: Host[] = [];
    let connectorAtFirst = "";
    beforeAll(async () => {
      const connector = { teams_to_logins: teams.teams_to_logins.map((team) => ({ ...team, logins: [...team.logins, hostLogin] })) };
      world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig, connector });
      connectorAtFirst = (await world.tctl(["get", "github", "--with-secrets"])).stdout;
      if (!hasOpenSsh) return;
      for (const name of ["web-1", "web-2"]) hosts.push(await startHost(world, name, { labels: { env: "staging", role: "web" } }));
    });
    afterAll(async () => {
      for (const { sshd } of hosts) await sshd.stop();
      await world.close();
    });

    for (const [page, examples] of pages) {
      it.skipIf(page === "ssh.md" && !hasOpenSsh)(`${page} runs from top to bottom`, async () => {
        const ana = await world.person("ana");
        const place = join(world.folder, "docs", page);
        const bin = join(place, "bin");
        await mkdir(bin, { recursive: true });
        const command = async (name: string, path: string, before: string): Promise<void> => {
          await writeFile(join(bin, name), `#!/bin/sh\n${before}exec "${process.execPath}" "${path}" "$@"\n`);
          await chmod(join(bin, name), 0o755);
        };
        await writeFile(join(place, "client-secret.txt"), world.github.clientSecret);
        await command("tsh", tshPath, "");
        await command("tctl", tctlPath, `export TELEPORT_DATA_DIR="${world.dataDir}"\n`);
        // OpenSSH looks for its configuration in the account's home, whatever HOME says.
        for (const name of ["ssh", "scp"]) {
          await writeFile(join(bin, name), `#!/bin/sh\nPATH="$(echo "$PATH" | sed 's,^[^:]*:,,')"\nexec ${name} -F "$HOME/.ssh/config" "$@"\n`);
          if (page === "ssh.md") await chmod(join(bin, name), 0o755);
        }
        // Another page may have given the connector away: accounts on hosts come from it.
        if (page === "ssh.md") expect(await world.tctl(["create", "-f", "-", "--force"], { input: connectorAtFirst })).toMatchObject({ code: 0 });
        if (page !== "login.md") await ana.logIn();
        for (const { line, info, text } of examples) {
          if (info === "yaml elsewhere") continue;
          if (info === "yaml") {
            const name = /^# (\S+)/.exec(text)?.[1];
            if (name !== undefined) await writeFile(join(place, name), name === "github.yaml" ? atStandIn(text, world) : text);
            continue;
          }
          const env = { ...(info === "console admin" ? cleanEnv({ HOME: world.folder }) : { ...ana.env, TSH_KEYSTORE: "file" }) };
          env["PATH"] = `${bin}:${env["PATH"] ?? ""}`;
          for (const shown of text.split("\n").filter((each) => each.startsWith("$ "))) {
            const real = shown.slice(2).replaceAll("--id=Iv1.0123456789abcdef", `--id=${world.github.clientId} --endpoint-url=${world.github.url}`).replaceAll("teleport.example.com", world.proxy).replaceAll("sha256:…", world.ready.ca_pin).replaceAll("deploy@", `${hostLogin}@`).replaceAll("--login=deploy", `--login=${hostLogin}`);
            const outcome = await run("bash", ["-c", real], { env, cwd: place });
            expect(`${page}:${line} $ ${real} → ${String(outcome.code)}\n${outcome.code === 0 ? "" : outcome.stderr}`).toBe(`${page}:${line} $ ${real} → 0\n`);
          }
        }
      });
    }
  });
});
