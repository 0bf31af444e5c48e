import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, tctlPath, tshPath } from "../support/world.ts";

/** What the commands say to somebody who mistypes, and to a shell: no gateway runs here. */
describe("usage", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "gatehouse-usage-"));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  const command = (words: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> => {
    const [name, ...args] = words.split(" ");
    return run(process.execPath, [name === "tsh" ? tshPath : tctlPath, ...args], { env: cleanEnv({ HOME: home, XDG_STATE_HOME: home, ...env }), cwd: home });
  };

  it.each([
    ["tsh login --prxy=x", "tsh login has no flag --prxy; did you mean --proxy?\n  tsh login --help shows what it takes"],
    ["tctl users add ana --role=admin", "tctl users add has no flag --role; did you mean --roles?\n  tctl users add --help shows what it takes"],
    ["tsh logout --proxy=a --all", "--proxy and --all exclude each other\n  tsh logout --help shows what it takes"],
    ["tsh login x y", 'tsh login does not know what to do with "y"\n  tsh login --help shows what it takes'],
    ["tsh login --auth", "--auth needs a value\n  tsh login --help shows what it takes"],
    ["tsh status --proxy=a --proxy=b", "--proxy is given twice\n  tsh status --help shows what it takes"],
    ["tctl get", "tctl get needs RESOURCE: kind, or kind/name\n  tctl get --help shows what it takes"],
    ["tctl get roles --format=xml", '--format is one of yaml, json, text, not "xml"\n  tctl get --help shows what it takes'],
    ["tctl get roles --data-dir=x --proxy=y", "--proxy and --data-dir exclude each other\n  --data-dir is for the gateway's own machine, --proxy for any other"],
    ["tsh statsu", 'tsh has no command "statsu"; did you mean: tsh status\n  tsh --help lists the commands'],
    ["tsh kube lss", 'tsh has no command "kube lss"; did you mean: tsh kube ls\n  tsh --help lists the commands'],
    ["tsh kube --prxy", "tsh kube needs one of its commands\n  tsh kube --help lists them"],
    ["tsh login --password-stdin --mfa=browser", "--password-stdin and --mfa=browser exclude each other\n  the gateway's login page asks for the password too"],
    ["tctl sso configure githb", 'tctl has no command "sso configure githb"; did you mean: tctl sso configure github\n  tctl --help lists the commands'],
    ["tctl users mfa -x", "tctl users mfa needs one of its commands\n  tctl users mfa --help lists them"],
    ["tctl auth sign", "for whom?\n  --user=NAME, or --host=NAME"],
    ["tsh ssh web-1 -x", "tsh ssh has no flag -x\n  tsh ssh --help shows what it takes"],
    ["tsh bot start", "tsh bot start needs --out-dir=<folder>\n  tsh bot start --help shows what it takes"],
    ["tsh ssh", "tsh ssh needs a host: [login@]host, or login@label=value\n  tsh ssh --help shows what it takes"],
    ["tsh ssh --prt=1 web-1 ls --prt=2", "tsh ssh has no flag --prt; did you mean --port?\n  tsh ssh --help shows what it takes"],
    ["tsh ssh -p x web-1", '--port is a whole number, not "x"\n  tsh ssh --help shows what it takes'],
    ["tsh ssh -p 70000 web-1", '--port is a whole number less than or equal to 65535, not "70000"\n  tsh ssh --help shows what it takes'],
    ["tsh --proxy=x ssh @web-1", '"@web-1" is not a host\n  write it as host, login@host, login@host:port or login@label=value'],
    ["tsh proxy ssh --what web-1", 'tsh proxy ssh does not know "--what"\n  tsh proxy ssh --help'],
    ["tsh proxy kube --all x", "either --all or names of clusters, not both"],
    ["tsh completion tcsh", 'tsh completion takes bash, zsh, fish, not "tcsh"\n  tsh completion --help shows what it takes'],
    ["tsh proxy kube x -- ls", "a command behind -- is for --exec\n  tsh proxy kube --exec -- kubectl get pods"],
    ["tsh proxy kube --port=1 --listen-unix=x", "--listen-unix and --port exclude each other\n  tsh proxy kube --help shows what it takes"],
    ["tsh scp a", "tsh scp needs what to copy, and where to\n  tsh scp FILE [login@]host:path"],
    ["tctl -x", "tctl needs a command before -x\n  tctl --help lists the commands"],
    ["tctl frobnicate now", 'tctl has no command "frobnicate"\n  tctl --help lists the commands'],
    ["tsh login --proxy=localhost:1 --ttl=banana", '--ttl: "banana" is not a duration\n  write it as 30m, 12h or 1h30m0s'],
    ["tctl users add ana --ttl=banana", '--ttl: "banana" is not a duration\n  write it as 30m, 12h or 1h30m0s'],
    ["tctl users add ana --ttl=100h", "--ttl=100h: it is 1 min to 48 h"],
    ["tctl users reset ana --ttl=100h", "--ttl=100h: it is 1 min to 48 h"],
    ["tsh proxy --drain-timeout=foo", '--drain-timeout: "foo" is not a duration\n  write it as 30m, 12h or 1h30m0s'],
    ["tctl get rolez", 'unsupported resource: rolez\n  did you mean "role"?'],
    ["tctl get role/good good", "failed to parse 'role/good good'\n  write it as kind/name, such as roles/admin"],
    ["tctl rm rolez/x", 'unsupported resource: rolez\n  did you mean "role"?'],
  ])("%s", async (words, text) => {
    const { code, stdout, stderr } = await command(words);
    expect([stderr, stdout, code]).toEqual([`✖ ${text}\n`, "", 2]);
  });

  it("every command's help says what it takes, once, with an example", async () => {
    for (const words of ["tsh login", "tsh kube credentials", "tsh version", "tctl version", "tctl get", "tctl create", "tctl users add"]) {
      const { code, stdout } = await command(`${words} --help`);
      const [summary = ""] = stdout.split("\n");
      expect([words, code, stdout.split(summary).length - 1, stdout.includes("EXAMPLES"), stdout.includes("|  |")]).toEqual([words, 0, 1, true, false]);
    }
    expect((await command("tsh ssh --help")).stdout).toContain("$ tsh ssh [FLAGS] [LOGIN@]HOST|LABEL=VALUE [COMMAND]\n");
    expect((await command("tsh --help")).stdout.match(/1\.0\.0/g)).toHaveLength(1);
  });

  it("a word that commands stand behind lists them, at any depth", async () => {
    for (const [words, one] of [["tsh mfa", "mfa codes"], ["tctl sso configure", "sso configure saml"], ["tctl users mfa", "users mfa reset"]] as const) {
      const { code, stdout, stderr } = await command(words);
      expect([words, code, stdout.includes(one), stderr]).toEqual([words, 0, true, ""]);
    }
  });

  it("status of every gateway says that there is none", async () => {
    expect(await command("tsh status --all")).toMatchObject({ code: 0, stdout: "", stderr: "not logged in to any gateway\n" });
    expect(await command("tsh status --all --format=json")).toMatchObject({ code: 0, stdout: "[]\n", stderr: "" });
  });

  it("the version is told the same way by both, and flags may stand before the command", async () => {
    const versions = await Promise.all(["tsh --version", "tctl --version", "tsh version", "tctl version", "tsh -d version"].map((words) => command(words)));
    expect(new Set(versions.map(({ stdout }) => stdout)).size).toBe(1);
    expect(versions.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    for (const words of ["tsh -d status", "tctl -d status"]) expect([words, (await command(words)).code]).toEqual([words, 3]);
  });

  it.skipIf(process.platform !== "linux")("a disk that is full is said, and a reader that has gone is not", async () => {
    for (const words of ["version", "--help", "login --help"]) {
      for (const path of [tshPath, tctlPath]) {
        if (path === tctlPath && words.startsWith("login")) continue;
        const full = await run("sh", ["-c", `"${process.execPath}" "${path}" ${words} > /dev/full`], { env: cleanEnv({ HOME: home }) });
        expect([words, full.stderr, full.code]).toEqual([words, "✖ cannot write the output: no space left\n", 1]);
        const gone = await run("sh", ["-c", `{ "${process.execPath}" "${path}" ${words}; echo "rc $?" >&2; } | true`], { env: cleanEnv({ HOME: home }) });
        expect([words, gone.stderr]).toEqual([words, "rc 0\n"]);
      }
    }
  });

  it("TELEPORT_DATA_DIR is asked where no flag says which gateway", async () => {
    const env = { TELEPORT_DATA_DIR: join(home, "data") };
    await mkdir(join(home, "data"), { recursive: true, mode: 0o700 });
    expect((await command("tctl status", env)).stderr).toContain(join(home, "data", "admin.sock"));
    expect((await command("tctl status --proxy=localhost:1", env)).stderr).toContain("not logged in to localhost:1");
    expect((await command("tctl status -i nosuch --proxy=localhost:1", env)).stderr).toContain("nosuch does not exist");
  });
});
