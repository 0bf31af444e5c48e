import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sortHeaders } from "./headers.ts";

const names = (pairs: readonly string[]): string[] => pairs.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());

describe("sortHeaders", () => {
  const forbidden = ["Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-x", "Authorization", "Proxy-Authorization", "X-Remote-User", "X-Remote-Group", "X-Remote-Extra-y", "X-Forwarded-For", "Forwarded", "TE", "Trailer", "Keep-Alive", "Upgrade", "Transfer-Encoding", "Connection", "Expect", "X-Real-Ip", "Host"];

  it("lets none of what never passes through, in any case, repeated, with underscores, among others", () => {
    const cased = fc.tuple(fc.constantFrom(...forbidden), fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), fc.boolean()).map(([name, upper, underscore]) => {
      const text = Array.from(name, (char) => char).map((char, index) => (upper[index % 20] === true ? char.toUpperCase() : char.toLowerCase())).join("");
      return underscore ? text.replaceAll("-", "_") : text;
    });
    const harmless = fc.constantFrom("Accept", "User-Agent", "Kubectl-Command", "Content-Type");
    fc.assert(
      fc.property(fc.array(fc.oneof(cased, harmless), { maxLength: 20 }), (list) => {
        const { passed } = sortHeaders(list.flatMap((name) => [name, "value"]));
        const left = names(passed).map((name) => name.replaceAll("_", "-"));
        expect(left.every((name) => ["accept", "user-agent", "kubectl-command", "content-type"].includes(name))).toBe(true);
        expect(left).toHaveLength(list.filter((name) => ["Accept", "User-Agent", "Kubectl-Command", "Content-Type"].includes(name)).length);
      }),
    );
  });

  it("drops what Connection names, and takes nothing of ours with it", () => {
    const { passed } = sortHeaders(["Accept", "a", "X-Thing", "b", "Connection", "keep-alive, X-Thing, impersonate-user", "Content-Length", "3"]);
    expect(passed).toEqual(["Accept", "a", "Content-Length", "3"]);
  });

  it("takes bearer tokens out of the WebSocket protocols and keeps the others", () => {
    expect(sortHeaders(["Sec-WebSocket-Protocol", "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YQ"]).passed).toEqual(["Sec-WebSocket-Protocol", "v5.channel.k8s.io"]);
    expect(sortHeaders(["sec-websocket-protocol", "BASE64URL.bearer.authorization.k8s.io.YQ"]).passed).toEqual([]);
  });

  it.each([
    [["Host", "a", "host", "b"]],
    [["Content-Length", "1", "Content-Length", "1"]],
    [["Content-Length", "1", "Transfer-Encoding", "chunked"]],
    [["Transfer-Encoding", "gzip, chunked"]],
    [["Upgrade", "websocket", "Upgrade", "SPDY/3.1"]],
  ])("%j is refused", (raw) => {
    expect(sortHeaders(raw).problem).toBeTypeOf("string");
  });

  it("tells whether there is a body", () => {
    expect(sortHeaders(["Content-Length", "0"])).toMatchObject({ hasBody: false, contentLength: 0 });
    expect(sortHeaders(["Transfer-Encoding", "chunked"])).toMatchObject({ hasBody: true, contentLength: undefined });
  });
});
