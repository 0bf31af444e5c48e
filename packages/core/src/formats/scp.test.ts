import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileEvent } from "./file-events.ts";
import { parseScpCommand } from "./scp-command.ts";
import { createScpTap } from "./scp.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** `>` what the sender of files says, `<` what the receiver answers. */
function watch(command: string, talk: readonly string[], cut = 1000): { readonly events: FileEvent[]; readonly problem: string | undefined } {
  const events: FileEvent[] = [];
  const scp = parseScpCommand(command)!;
  const tap = createScpTap(scp, (event) => events.push(event));
  for (const line of talk) {
    const bytes = Buffer.from(line.slice(1), "latin1");
    const client = line.startsWith(">") === (scp.action === "upload");
    for (let at = 0; at < bytes.length; at += cut) {
      if (client) tap.fromClient(bytes.subarray(at, at + cut));
      else tap.fromHost(bytes.subarray(at, at + cut));
    }
  }
  const { problem } = tap;
  tap.end();
  return { events, problem };
}

const tree = ["<\0", ">T1 0 1 0\n", "<\0", ">D0755 0 dir\n", "<\0", ">C0644 5 one\n", "<\0", ">hello", ">\0", "<\0", ">C0600 0 empty\n", "<\0", ">\0", "<\0", ">E\n", "<\0"];

describe("legacy scp that passes", () => {
  it("is told file by file, however it is cut", () => {
    for (const cut of [1, 2, 3, 1000]) {
      expect(watch("scp -r -p -t /srv", tree, cut)).toEqual({
        problem: undefined,
        events: [
          { action: "mkdir", path: "/srv/dir", ok: true },
          { action: "upload", path: "/srv/dir/one", bytes: 5, ok: true, sha256: sha256("hello") },
          { action: "upload", path: "/srv/dir/empty", bytes: 0, ok: true, sha256: sha256("") },
        ].map((event) => (event.path === "/srv/dir" ? { ...event, path: "/srv" } : event)),
      });
    }
    expect(watch("scp -r -f /srv/dir", tree).events.map(({ action, path }) => `${action} ${path}`)).toEqual(["download /srv/dir/one", "download /srv/dir/empty"]);
  });

  it("says what a file is called where the target may be a directory", () => {
    expect(watch("scp -t /tmp", ["<\0", ">C0644 2 a b\n", "<\0", ">hi\0", "<\0"]).events).toEqual([{ action: "upload", path: "/tmp", detail: "a b", bytes: 2, ok: true, sha256: sha256("hi") }]);
    expect(watch("scp -d -t /tmp/", ["<\0", ">C0644 2 a b\n", "<\0", ">hi\0", "<\0"]).events).toMatchObject([{ path: "/tmp/a b" }]);
  });

  it("is told to fail", () => {
    const failed = ["<\0", ">C0644 2 f\n", "<\x01scp: f: Permission denied\n", ">C0644 2 g\n", "<\0", ">hi\0", "<\x01no space\n", ">C0644 2 h\n", "<\0", ">hi\x01read error\n", "<\0", ">C0644 9 i\n", "<\0", ">hi"];
    expect(watch("scp -d -t /t", failed).events).toEqual([
      { action: "upload", path: "/t/f", ok: false, error: "scp: f: Permission denied" },
      { action: "upload", path: "/t/g", bytes: 2, ok: false, error: "no space", undigested: "it did not pass whole" },
      { action: "upload", path: "/t/h", bytes: 2, ok: false, error: "read error", undigested: "it did not pass whole" },
      { action: "upload", path: "/t/i", bytes: 2, ok: false, error: "the session ended before it was whole", undigested: "it did not pass whole" },
    ]);
    expect(watch("scp -f /nowhere", ["<\0", ">\x01scp: /nowhere: No such file\n"]).events).toEqual([{ action: "download", path: "/nowhere", ok: false, error: "scp: /nowhere: No such file" }]);
  });

  it.each([
    ["text", ["<\0", ">Welcome!\n"]],
    ["a name that leaves its directory", ["<\0", ">C0644 2 ../f\n"]],
    ["the parent as a name", ["<\0", ">D0755 0 ..\n"]],
    ["an end of no directory", ["<\0", ">E\n"]],
    ["an answer to nothing", ["<\0", "<\0"]],
    ["an answer that is text", ["<hello\n"]],
    ["a line without end", ["<\0", `>C${"0".repeat(9000)}`]],
    ["a line that OpenSSH takes for two", ["<\0", `>C0644 4 ${"a".repeat(2038)}evil\n`, "<\0", ">good\0", "<\0"]],
    ["a file behind a directory that was refused", ["<\0", ">D0755 0 a\nD0755 0 b\nC0644 2 f\n", "<\x01a: Not a directory\n"]],
    ["content of a file that was refused", ["<\0", ">C0644 2 f\n", ">hi", "<\x01no\n"]],
    ["something after the content", ["<\0", ">C0644 2 f\n", "<\0", ">hi there\n"]],
  ])("is refused when there is %s", (_what, talk) => {
    expect(watch("scp -d -t /t", talk).problem).toMatch(/^the stream of scp cannot be read: /);
  });

  it("never throws, whatever comes after whatever", () => {
    const line = fc.tuple(fc.constantFrom(">", "<"), fc.oneof(fc.constantFrom(...tree.map((each) => each.slice(1))), fc.string({ maxLength: 12, unit: "binary" }))).map((parts) => parts.join(""));
    fc.assert(fc.property(fc.array(line, { maxLength: 30 }), fc.constantFrom("scp -t x", "scp -f x"), fc.integer({ min: 1, max: 9 }), (talk, command, cut) => void watch(command, talk, cut)), { numRuns: 500 });
  });
});

describe("the command of legacy scp", () => {
  it("is read as a shell would", () => {
    expect(parseScpCommand("scp -v -r -p -d -t /srv/www")).toEqual({ action: "upload", path: "/srv/www", directory: true });
    expect(parseScpCommand("/usr/bin/scp -f -- '-odd name'")).toEqual({ action: "download", path: "-odd name", directory: false });
    expect(parseScpCommand('scp -pf "a \\"b\\"" ')).toEqual({ action: "download", path: 'a "b"', directory: false });
    expect(parseScpCommand("scp -f /var/log/*.log")).toMatchObject({ path: "/var/log/*.log" });
    expect(parseScpCommand("scp -t 'it is $5; fine'")).toMatchObject({ path: "it is $5; fine" });
  });

  it.each(["scp", "scp -t", "scp -t a b", "scp -t -f a", "scp a b:c", "scp -S sh -t x", "scp -oProxyCommand=sh -t x", "scp -t x; sh", "scp -t x | tee y", "scp -t x && sh", "scp -t $(id)", "scp -t `id`", "scp -t ~/x\nsh", 'scp -t "$(id)"', "scp -t x >y", "scp -t 'x", `scp -t "'";sh;"'"`, `scp -t \\';sh;\\'`, "scp -t x\\\nsh", "scp\u00a0-t x", "./scp -t x", "/home/ana/bin/scp -t x", "my-scp -t x", "bash -c 'scp -t x'", ""])(
    "is none of %j, which is watched as a command",
    (command) => expect(parseScpCommand(command)).toBeUndefined(),
  );
});
