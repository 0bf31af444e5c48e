import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { cp, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, requireTool } from "../../packages/core/src/testing/index.ts";
import { startDelayRelay } from "../support/delay-relay.ts";
import { newMachine, type Machine } from "../support/machine.ts";
import { run, start, type Outcome, type RunOptions } from "../support/process.ts";
import { createHostRole, hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { runInTerminal } from "../support/terminal.ts";
import { createTwoWayWorld, machinesOf } from "../support/two-ways.ts";
import { tshPath, type World } from "../support/world.ts";

const available = ["sshd", "ssh", "scp", "sftp", "ssh-agent"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client, and /usr/sbin on PATH"));
const modes = ["proxy", "off"] as const;
/** Who is recorded, and who is not. */
const personOf = { proxy: "ana", off: "bo" } as const;

describe.skipIf(!available)("SSH through the gateway", () => {
  let world: World;
  const hosts: Host[] = [];
  let machines: ReadonlyMap<string, Machine>;

  beforeAll(async () => {
    world = await createTwoWayWorld({ web: ["staging"] });
    await createHostRole(world, "staging", { ssh_recording: "proxy" }, { node_labels: { env: "staging" } });
    hosts.push(await startHost(world, "web-1", { labels: { env: "staging", role: "web" } }), await startHost(world, "web-2", { labels: { env: "staging", role: "web" } }), await startHost(world, "db-1", { labels: { env: "prod" } }));
    machines = await machinesOf(world, ["ana", "bo", "di"]);
  });
  afterAll(async () => {
    for (const { sshd } of hosts) await sshd.stop();
    await world.close();
  });

  const machineOf = (person: string): Machine => machines.get(person)!;
  /** OpenSSH's programs, with the configuration that tsh wrote: they look for it in the account's home, whatever HOME says. */
  const configOf = (machine: Machine): string => join(machine.home, ".ssh", "config");
  const openssh = (machine: Machine, program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> => run(program, ["-F", configOf(machine), ...args], { env: machine.env, ...options });
  const digest = async (file: string): Promise<string> => {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  };

  describe.each(modes)("recording: %s", (mode) => {
    let machine: Machine;
    let place: string;
    beforeAll(async () => {
      machine = machineOf(personOf[mode]);
      place = join(world.folder, `files-${mode}`);
      await mkdir(place, { recursive: true });
    });

    it("plain ssh: output, errors, input and exit code", async () => {
      const outcome = await openssh(machine, "ssh", ["web-1.example", "cat; echo err >&2; exit 42"], { input: "from here\n" });
      expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([42, "from here\n", "err\n"]);
      expect((await readdir(join(machine.home, ".tsh", "ssh")).catch(() => [])).filter((name) => !name.startsWith("run-"))).toEqual([]);
    });

    it("tsh ssh, with OpenSSH and without", async () => {
      for (const how of [[], ["--no-openssh"]]) {
        const outcome = await machine.tsh(["ssh", ...how, `${hostLogin}@web-1`, "cat; echo err >&2; exit 42"], { input: "from here\n" });
        expect([how, outcome.code, outcome.stdout, outcome.stderr]).toEqual([how, 42, "from here\n", "err\n"]);
      }
      expect((await readdir(join(machine.home, ".tsh", "ssh"))).filter((name) => name.startsWith("run-"))).toEqual([]);
    });

    it("says whether it is recorded, and runs something here once the host is reached", async () => {
      const says = mode === "proxy" ? /^tsh: the gateway records this session \(web-1\)\n/ : /^tsh: this session is not recorded \(web-1\)\n/;
      const outcome = await machine.tsh(["ssh", "--recording-info", "--local-command=echo 100% here", `${hostLogin}@web-1`, "echo there"]);
      expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([0, "100% here\nthere\n", expect.stringMatching(says)]);
      expect((await machine.tsh(["ssh", "--no-openssh", "--recording-info", `${hostLogin}@web-1`, "true"])).stderr).toMatch(says);
      expect(await machine.tsh(["ssh", "--no-openssh", "-N", "-L", "1:a:1", `${hostLogin}@web-1`])).toMatchObject({ code: 1, stderr: expect.stringContaining("-L needs OpenSSH, and --no-openssh was given") as string });
    });

    it("as the login of an identity file, on a machine where nobody logged in", async () => {
      const file = join(place, "identity.pem");
      const signed = await world.tctl(["auth", "sign", `--user=${personOf[mode]}`, `--out=${file}`]);
      expect(signed.code, signed.stderr).toBe(0);
      const away = await newMachine(world, personOf[mode]);
      for (const how of [[], ["--no-openssh"]]) {
        const outcome = await away.tsh(["-i", file, `--proxy=${world.proxy}`, "ssh", ...how, `${hostLogin}@web-1`, "echo in"]);
        expect([how, outcome.code, outcome.stdout, outcome.stderr]).toEqual([how, 0, "in\n", ""]);
      }
      expect((await away.tsh(["config", "-i", file, `--proxy=${world.proxy}`, "--write"])).code).toBe(0);
      const plain = await openssh(away, "ssh", ["web-1.example", "echo in"]);
      expect([plain.code, plain.stdout, plain.stderr]).toEqual([0, "in\n", ""]);
    });

    it("a terminal: its size, a change of it, Ctrl-C and the exit code", async () => {
      for (const how of [[], ["--no-openssh"]]) {
        const { pty, until, sizeIs, exited } = runInTerminal(process.execPath, [tshPath, "ssh", ...how, `${hostLogin}@web-1`], { cwd: machine.home, env: { ...machine.env, TERM: "xterm" }, cols: 101 });
        pty.write("PS1=ready; stty size\r");
        await until(/33 101/);
        pty.resize(77, 22);
        await sizeIs("22 77");
        pty.write("sleep 100; echo never\r");
        await sleep(300);
        pty.write("\x03");
        pty.write("exit 42\r");
        expect([how, await exited]).toEqual([how, 42]);
      }
    });

    it("many hosts by a label, each line with its host, and a summary", async () => {
      for (const how of [[], ["--no-openssh"]]) {
        const outcome = await machine.tsh(["ssh", ...how, `${hostLogin}@env=staging`, "echo one; echo two >&2"]);
        expect(outcome.stdout.split("\n").sort()).toEqual(["", "web-1 │ one", "web-2 │ one"]);
        expect(outcome.stderr).toMatch(/web-1 │ two\n/);
        expect(outcome.stderr).toMatch(/\n2 hosts, 2 ok, [\d.]+ s\n$/);
        expect(outcome.code).toBe(0);
      }
      const failed = await machine.tsh(["ssh", "--format=json", `${hostLogin}@role=web`, `case $(ps -o args= -p $PPID) in *) test -e ${place}/flag-$(echo $SSH_CONNECTION | cut -d' ' -f4);; esac`]);
      expect(failed.code).toBe(1);
      const rows = JSON.parse(failed.stdout) as { host: string; exit_code: number }[];
      expect(rows.map(({ host, exit_code: code }) => [host, code])).toEqual([["web-1", 1], ["web-2", 1]]);
    });

    it("files: scp, sftp, and both of tsh, there and back", async () => {
      const source = join(place, "source.bin");
      await writeFile(source, randomBytes(20 * 1024 * 1024));
      const wanted = await digest(source);
      const ways: [string, (from: string, to: string) => Promise<Outcome>][] = [
        ["scp", (from, to) => openssh(machine, "scp", ["-q", from.replace("@:", "web-1.example:"), to.replace("@:", "web-1.example:")])],
        ["scp -O", (from, to) => openssh(machine, "scp", ["-q", "-O", from.replace("@:", "web-1.example:"), to.replace("@:", "web-1.example:")])],
        ["tsh scp", (from, to) => machine.tsh(["scp", from.replace("@:", `${hostLogin}@web-1:`), to.replace("@:", `${hostLogin}@web-1:`)])],
        ["tsh scp --no-openssh", (from, to) => machine.tsh(["scp", "--no-openssh", from.replace("@:", `${hostLogin}@web-1:`), to.replace("@:", `${hostLogin}@web-1:`)])],
      ];
      for (const [name, copy] of ways) {
        const [there, back] = [join(place, "there.bin"), join(place, "back.bin")];
        const up = await copy(source, `@:${there}`);
        expect([name, up.code, up.stderr]).toEqual([name, 0, ""]);
        expect([name, await digest(there)]).toEqual([name, wanted]);
        const down = await copy(`@:${there}`, back);
        expect([name, down.code, down.stderr]).toEqual([name, 0, ""]);
        expect([name, await digest(back)]).toEqual([name, wanted]);
        await Promise.all([rm(there), rm(back)]);
      }
      for (const how of [[], ["--no-openssh"]]) {
        const batch = await machine.tsh(["sftp", ...how, "-b", "-", `${hostLogin}@web-1`], { input: `cd ${place}\nput ${source} there.bin\nget there.bin ${place}/back.bin\n` });
        expect([how, batch.code, batch.stderr]).toEqual([how, 0, ""]);
        expect([how, await digest(join(place, "back.bin"))]).toEqual([how, wanted]);
        await rm(join(place, "back.bin"));
      }
    });

    it("a folder: tsh scp -rp keeps times and modes", async () => {
      const source = join(place, "tree");
      await mkdir(join(source, "deep", "er"), { recursive: true });
      await writeFile(join(source, "deep", "er", "run.sh"), "#!/bin/sh\n", { mode: 0o750 });
      for (const how of [[], ["--no-openssh"]]) {
        await rm(join(place, "copy"), { recursive: true, force: true });
        const outcome = await machine.tsh(["scp", ...how, "-rp", source, `${hostLogin}@web-1:${place}/copy`]);
        expect([how, outcome.code, outcome.stderr]).toEqual([how, 0, ""]);
        const copied = await stat(join(place, "copy", "deep", "er", "run.sh"));
        const original = await stat(join(source, "deep", "er", "run.sh"));
        expect([how, copied.mode & 0o777, Math.floor(copied.mtimeMs / 1000)]).toEqual([how, 0o750, Math.floor(original.mtimeMs / 1000)]);
      }
    });

    it.skipIf(!requireTool("rsync", "Debian: rsync"))("rsync", async () => {
      const source = join(place, "rsync");
      await mkdir(join(source, "sub"), { recursive: true });
      await writeFile(join(source, "sub", "a"), randomBytes(3_000_000));
      const outcome = await run("rsync", ["-a", "-e", `ssh -F ${configOf(machine)}`, `${source}/`, `web-1.example:${place}/rsync-there`], { env: machine.env });
      expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
      expect(await digest(join(place, "rsync-there", "sub", "a"))).toBe(await digest(join(source, "sub", "a")));
    });

    it.skipIf(!requireTool("git", "Debian: git"))("git", async () => {
      const env = { ...machine.env, GIT_SSH_COMMAND: `ssh -F ${configOf(machine)}`, GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@a", GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@a" };
      const script = `set -e; cd ${place}; git init -q --bare there.git; git init -q here; cd here; echo x > x; git add x; git commit -qm x; git push -q web-1.example:${place}/there.git HEAD:main; git clone -q -b main web-1.example:${place}/there.git ../cloned; cat ../cloned/x`;
      const outcome = await run("bash", ["-c", script], { env });
      expect([outcome.stderr, outcome.code, outcome.stdout]).toEqual(["", 0, "x\n"]);
    });

    describe("ports", () => {
      let web: Server;
      let port: number;
      beforeAll(async () => {
        web = createServer((_request, response) => response.end("through"));
        await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
        ({ port } = web.address() as AddressInfo);
      });
      afterAll(() => void web.close());

      const eventually = async (url: string, args: readonly string[] = []): Promise<string> => {
        for (let tries = 0; tries < 600; tries++) {
          const { code, stdout } = await run("curl", ["-s", "-m", "5", ...args, url]);
          if (code === 0) return stdout;
          await sleep(100);
        }
        throw new Error(`${url} never answered`);
      };

      it.each(["-L", "-R", "-D"])("%s", async (letter) => {
        const local = await freePort();
        const words = letter === "-D" ? `127.0.0.1:${local}` : `127.0.0.1:${local}:127.0.0.1:${port}`;
        const running = machine.start(["ssh", "-N", letter, words, `${hostLogin}@web-1`]);
        try {
          const shown = letter === "-D" ? await eventually(`http://127.0.0.1:${port}/`, ["--socks5-hostname", `127.0.0.1:${local}`]) : await eventually(`http://127.0.0.1:${local}/`);
          expect([shown, running.stderr()]).toEqual(["through", ""]);
        } finally {
          await running.stop();
        }
      });
    });

    it("-A lets the host ask the person's agent, and for its keys alone", async () => {
      const socket = join(world.folder, `${mode}.agent`);
      const agent = start("ssh-agent", ["-D", "-a", socket], { env: machine.env });
      try {
        await agent.waitFor(/SSH_AUTH_SOCK/, "stdout");
        await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", join(place, "mine")]);
        const env = { ...machine.env, SSH_AUTH_SOCK: socket };
        expect((await run("ssh-add", ["-q", join(place, "mine")], { env })).code).toBe(0);
        const plain = await openssh(machine, "ssh", ["-A", "web-1.example", "ssh-add -l"], { env });
        expect([plain.stderr, plain.stdout]).toEqual(["", expect.stringMatching(/^256 SHA256:\S+ mine \(ED25519\)\n$/)]);
        const ours = await machine.tsh(["ssh", "-A", `${hostLogin}@web-1`, "ssh-add -l"], { env });
        expect([ours.stderr, ours.stdout]).toEqual(["", plain.stdout]);
        expect((await openssh(machine, "ssh", ["web-1.example", "ssh-add -l"], { env })).code).not.toBe(0);
      } finally {
        await agent.stop();
      }
    });

    it("one connection for many sessions: ControlMaster", async () => {
      const control = join(place, "control");
      const shared = ["-o", `ControlPath=${control}`];
      expect((await openssh(machine, "ssh", [...shared, "-o", "ControlMaster=yes", "-o", "ControlPersist=30", "-f", "-N", "web-1.example"])).code).toBe(0);
      const outcomes = await Promise.all([1, 2, 3].map((code) => openssh(machine, "ssh", [...shared, "web-1.example", `exit ${code}`])));
      expect(outcomes.map(({ code }) => code)).toEqual([1, 2, 3]);
      expect((await openssh(machine, "ssh", [...shared, "-O", "exit", "web-1.example"])).code).toBe(0);
    });

    it("-J through the gateway, with nothing of ours but a key and its certificates", async () => {
      const [file = ""] = (await readdir(join(machine.home, ".tsh", "keys"))).filter((name) => name.endsWith(".json"));
      const record = JSON.parse(await readFile(join(machine.home, ".tsh", "keys", file), "utf8")) as { privateKey: string; sshCertificate: string };
      await writeFile(join(place, "own"), record.privateKey, { mode: 0o600 });
      await writeFile(join(place, "own-cert.pub"), record.sshCertificate);
      const knownHosts = (await readdir(join(machine.home, ".tsh"))).find((name) => name.endsWith(".known_hosts"))!;
      await writeFile(join(place, "jump"), `Host *\n  IdentityFile ${place}/own\n  CertificateFile ${place}/own-cert.pub\n  IdentityAgent none\n  UserKnownHostsFile ${machine.home}/.tsh/${knownHosts}\n  StrictHostKeyChecking yes\n  BatchMode yes\n`);
      const jumped = await run("ssh", ["-F", join(place, "jump"), "-J", `${hostLogin}@${world.proxy}`, `${hostLogin}@web-1.example`, "echo through"], { env: machine.env });
      // Not recorded, the bytes pass end to end, and the host takes minted certificates alone, which OpenSSH by itself cannot ask for.
      expect([jumped.stdout, jumped.code]).toEqual(mode === "proxy" ? ["through\n", 0] : ["", 255]);
    });

    it("forty at once share a path for their agents, and all get in", async () => {
      const outcomes = await Promise.all(Array.from({ length: 40 }, (_, index) => openssh(machine, "ssh", ["web-1.example", `sleep 0.${index % 10}; echo ${index}`])));
      expect(outcomes.map(({ stdout, stderr }) => stderr + stdout)).toEqual(Array.from({ length: 40 }, (_, index) => `${index}\n`));
    });

    it("a large file up and down, byte by byte the same", async () => {
      const [source, there, back] = [join(place, "large.bin"), join(place, "large.there"), join(place, "large.back")];
      expect((await run("bash", ["-c", `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${1024 ** 3} > ${source}`])).code).toBe(0);
      const wanted = await digest(source);
      const up = await machine.tsh(["scp", source, `${hostLogin}@web-1:${there}`], { timeout: 240_000 });
      expect([up.code, up.stderr]).toEqual([0, ""]);
      expect(await digest(there)).toBe(wanted);
      const down = await openssh(machine, "scp", ["-q", `web-1.example:${there}`, back], { timeout: 240_000 });
      expect([down.code, down.stderr]).toEqual([0, ""]);
      expect(await digest(back)).toBe(wanted);
      await Promise.all([source, there, back].map((file) => rm(file)));
    }, 500_000);

    it("over a line of 50 ms", async () => {
      const [host = "", port = ""] = world.proxy.split(":");
      const relay = await startDelayRelay(host, Number(port), 50);
      const away = await newMachine(world, machine.env["BROWSER_USER"] ?? "");
      try {
        await cp(join(machine.home, ".tsh"), join(away.home, ".tsh"), { recursive: true, filter: (path) => !path.endsWith("/ssh") });
        await moveGateway(join(away.home, ".tsh"), world.proxy, `127.0.0.1:${relay.port}`);
        const source = join(place, "delayed.bin");
        await writeFile(source, randomBytes(8 * 1024 * 1024));
        for (const how of [[], ["--no-openssh"]]) {
          const up = await away.tsh(["scp", ...how, source, `${hostLogin}@web-1:${place}/delayed.there`]);
          expect([how, up.code, up.stderr]).toEqual([how, 0, ""]);
          const down = await away.tsh(["scp", ...how, `${hostLogin}@web-1:${place}/delayed.there`, `${place}/delayed.back`]);
          expect([how, down.code, down.stderr]).toEqual([how, 0, ""]);
          expect([how, await digest(`${place}/delayed.back`)]).toEqual([how, await digest(source)]);
        }
      } finally {
        relay.close();
      }
    });
  });

  describe("refused", () => {
    const eventOf = (stderr: string): string => /\(event ([0-9a-f-]+)\)/.exec(stderr)?.[1] ?? `none in ${stderr}`;

    it.each([
      ["an account that no role gives", "ana", "nobody@web-1", 4],
      ["a host that no role gives", "di", `${hostLogin}@db-1`, 4],
      ["a host that there is not", "ana", `${hostLogin}@web-9`, undefined],
    ])("%s", async (_what, person, target, code) => {
      const machine = machineOf(person);
      for (const how of [[], ["--no-openssh"]]) {
        const outcome = await machine.tsh(["ssh", ...how, target, "true"]);
        expect([how, outcome.stdout, outcome.code === 0 || outcome.code === 255]).toEqual([how, "", false]);
        if (code !== undefined) expect([how, outcome.code]).toEqual([how, code]);
        const id = eventOf(outcome.stderr);
        expect((await world.events()).filter((event) => JSON.stringify(event).includes(id)).length, outcome.stderr).toBeGreaterThan(0);
      }
    });

    it("a login that has ended: exit 3 and what to run", async () => {
      const machine = await newMachine(world, "bo");
      await machine.logIn();
      const [file = ""] = (await readdir(join(machine.home, ".tsh", "keys"))).filter((name) => name.endsWith(".json"));
      const path = join(machine.home, ".tsh", "keys", file);
      await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, "utf8")) as object), expires: Date.now() - 1000 }));
      expect(await machine.tsh(["proxy", "ssh", "web-1:22"])).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^tsh: your login to \S+ ended .* ago; run: tsh login --proxy=\S+ --auth=github\n$/) as string });
      expect((await machine.tsh(["ssh", `${hostLogin}@web-1`, "true"])).code).toBe(3);
    });

    it("a person's own certificate straight to sshd, and a minted one anywhere but where it is for", async () => {
      const machine = machineOf("bo");
      const [web1, web2] = hosts;
      const direct = (host: Host, agent: string, more: readonly string[] = []): Promise<Outcome> =>
        run("ssh", ["-F", "none", "-o", `IdentityAgent=${agent}`, "-o", "IdentityFile=none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", ...more, "-p", String(host.sshd.port), `${hostLogin}@127.0.0.1`, "echo in"]);

      const identity = join(machine.home, "identity");
      const [file = ""] = (await readdir(join(machine.home, ".tsh", "keys"))).filter((name) => name.endsWith(".json"));
      const record = JSON.parse(await readFile(join(machine.home, ".tsh", "keys", file), "utf8")) as { privateKey: string; sshCertificate: string };
      await writeFile(identity, record.privateKey, { mode: 0o600 });
      await writeFile(`${identity}-cert.pub`, record.sshCertificate);
      const own = await direct(web1!, "none", ["-i", identity, "-o", `CertificateFile=${identity}-cert.pub`]);
      expect([own.code, own.stdout]).toEqual([255, ""]);

      const agent = join(machine.home, ".tsh", "ssh", "held");
      const held = machine.start(["proxy", "ssh", `--login=${hostLogin}`, `--agent-path=${agent}`, "web-1:22"]);
      try {
        await held.waitFor(/^SSH-2\.0/, "stdout");
        const listed = (await run("ssh-add", ["-L"], { env: { ...machine.env, SSH_AUTH_SOCK: agent } })).stdout;
        await writeFile(join(machine.home, "minted-cert.pub"), listed);
        const shown = (await run("ssh-keygen", ["-L", "-f", join(machine.home, "minted-cert.pub")])).stdout;
        const [, from = "", to = ""] = /Valid: from (\S+) to (\S+)/.exec(shown) ?? [];
        expect(Date.parse(to) - Date.parse(from)).toBeLessThanOrEqual(7 * 60_000);
        expect(shown).toMatch(/source-address 127\.0\.0\.1/);
        expect(shown).toContain(`${hostLogin}@web-1\n`);
        // The test is where the gateway is: the right host from the right address takes it, and each of these differs in one thing.
        expect((await direct(web1!, agent)).stdout).toBe("in\n");
        expect((await direct(web2!, agent)).code).toBe(255);
        expect((await direct(web1!, agent, ["-b", "127.0.0.2"])).code).toBe(255);
      } finally {
        await held.stop();
      }
    });
  });
});

/** Changes in a home of tsh where its gateway is. */
async function moveGateway(home: string, from: string, to: string): Promise<void> {
  const [before, after] = [from.replace(":", "_"), to.replace(":", "_")];
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replaceAll(from, to));
    if (entry.name.includes(before)) await rename(path, join(entry.parentPath, entry.name.replace(before, after)));
  }
  await rm(join(home, "profile"), { force: true });
  const { symlink } = await import("node:fs/promises");
  await symlink(`${after}.yaml`, join(home, "profile"));
}
