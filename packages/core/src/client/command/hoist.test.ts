import { describe, expect, it } from "vitest";
import { hoistFlags } from "./hoist.ts";

const leading = { "--data-dir": true, "-c": true, "-d": false };

describe("hoistFlags", () => {
  it.each([
    [["--data-dir", "/x", "get", "roles"], ["get", "roles", "--data-dir", "/x"]],
    [["--data-dir=/x", "-d", "rm", "user/a"], ["rm", "user/a", "--data-dir=/x", "-d"]],
    [["-c", "f", "create", "-f", "--", "-odd"], ["create", "-f", "-c", "f", "--", "-odd"]],
    [["get", "--data-dir", "/x"], ["get", "--data-dir", "/x"]],
    [["--help"], ["--help"]],
    [["--data-dir"], ["--data-dir"]],
    [[], []],
  ])("%j", (argv, expected) => expect(hoistFlags(argv, leading)).toEqual(expected));
});
