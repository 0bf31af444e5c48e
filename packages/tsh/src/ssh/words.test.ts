import { Flags } from "@oclif/core";
import { describe, expect, it } from "vitest";
import { splitAtTarget } from "./words.ts";

const flags = { port: Flags.integer({ char: "p" }), tty: Flags.boolean({ char: "t" }), proxy: Flags.string() };

describe("splitAtTarget", () => {
  it.each([
    ["web-1", [], ["web-1"]],
    ["-t web-1 ls -t --help", ["-t"], ["web-1", "ls", "-t", "--help"]],
    ["-p 22 web-1 -t uptime -t", ["-p", "22", "-t"], ["web-1", "uptime", "-t"]],
    ["web-1 -tp 22", ["-tp", "22"], ["web-1"]],
    ["web-1 -t -- -ls", ["-t"], ["web-1", "-ls"]],
    ["web-1 -- ls -- x", [], ["web-1", "ls", "--", "x"]],
    ["-- web-1 -t", [], ["web-1", "-t"]],
    ["-p22 web-1", ["-p22"], ["web-1"]],
    ["-tp 22 web-1", ["-tp", "22"], ["web-1"]],
    ["--proxy x --port=1 -- web-1 -- ls", ["--proxy", "x", "--port=1"], ["web-1", "ls"]],
    ["--unknown web-1", ["--unknown"], ["web-1"]],
    ["-p", ["-p"], []],
  ])("%s", (words, own, rest) => expect(splitAtTarget(words.split(" "), flags)).toEqual({ own, rest }));
});
