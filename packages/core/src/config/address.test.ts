import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseListenAddress, parsePublicAddress } from "./address.ts";

describe("listen addresses", () => {
  it.each([
    ["example.com", "example.com", 99],
    ["example.com.", "example.com.", 99],
    ["example.com:1", "example.com", 1],
    ["tcp://example.com:1", "example.com", 1],
    ["127.0.0.1:0", "127.0.0.1", 0],
    ["[::1]:0", "::1", 0],
    ["[::1]", "::1", 99],
    ["::1", "::1", 99],
    [":0", "0.0.0.0", 0],
    ["my_host:65535", "my_host", 65535],
  ])("%s", (text, host, port) => expect(parseListenAddress(text, 99)).toEqual({ host, port }));

  it.each([
    "", "https://example.com", "tcp://", "example.com:", "example.com:65536", "example.com:1:2", "example.com/", "a b:1", "256.1.1.1:1", "1.2.3:4", "[::g]:1", "[1.2.3.4]:1", "[::1]x", "-a:1",
    "a..b:1", "a@b:1", "é.com:1", "example.com:+1", "example.com:1e3", `${"a".repeat(64)}:1`, "a\n:1",
  ])("%j is none", (text) => expect(parseListenAddress(text, 99)).toHaveProperty("problem"));

  it("come back from their text", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain().filter((name) => name.length < 250));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65535 }), (name, port) => {
        expect(parseListenAddress(formatAddress({ host: name, port }), 1)).toEqual({ host: name, port });
      }),
    );
  });
});

describe("public addresses", () => {
  it("are what clients can reach", () => {
    expect(parsePublicAddress("example.com", 3080)).toEqual({ host: "example.com", port: 3080 });
    for (const text of [":3080", "0.0.0.0:3080", "[::]:3080", "example.com:0"]) expect(parsePublicAddress(text, 3080)).toHaveProperty("problem");
  });
});
