import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { passHeaders } from "./headers.ts";

const names = (pairs: readonly string[]): string[] => pairs.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
const raw = fc.array(fc.tuple(fc.constantFrom("Accept", "Connection", "Upgrade", "Transfer-Encoding", "Content-Length", "TE", "Host", "Impersonate-User", "Authorization", "X-A", "x-b", "Keep-Alive", "Sec-WebSocket-Protocol"), fc.constantFrom("1", "close", "upgrade", "x-a, impersonate-user", "authorization, X-B", "chunked", "websocket")), { maxLength: 20 });

describe("passHeaders", () => {
  it("lets nothing of the connection through, and hides nothing that is the gateway's to refuse", () => {
    fc.assert(fc.property(raw, (list) => {
      const passed = names(passHeaders(list.flat(), false).pairs);
      for (const name of ["connection", "upgrade", "transfer-encoding", "te", "host", "keep-alive"]) expect(passed).not.toContain(name);
      for (const name of ["impersonate-user", "authorization", "accept"]) expect(passed.filter((each) => each === name).length).toBe(list.filter(([each]) => each.toLowerCase() === name).length);
    }));
  });

  it("says of an upgrade that it is one, and shows the gateway a body that is announced", () => {
    expect(passHeaders(["Upgrade", "websocket", "Connection", "keep-alive, Upgrade", "Sec-WebSocket-Key", "k", "Transfer-Encoding", "chunked"], true).pairs).toEqual(["Sec-WebSocket-Key", "k", "Upgrade", "websocket", "Connection", "Upgrade", "Transfer-Encoding", "chunked"]);
  });

  it("tells whether there is a body", () => {
    expect(passHeaders(["Content-Length", "0"], false)).toMatchObject({ hasBody: false, contentLength: 0 });
    expect(passHeaders(["Content-Length", "5"], false)).toMatchObject({ hasBody: true, contentLength: 5 });
    expect(passHeaders(["Transfer-Encoding", "chunked"], false)).toMatchObject({ hasBody: true, contentLength: undefined });
  });
});
