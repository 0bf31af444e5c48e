import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an address that a secret must not be sent to is refused", async () => {
  for (const address of ["http://evil.example/token", "http://127.0.0.1.evil.example/token", "https://user:pw@evil.example/token", "file:///etc/passwd", "token"]) {
    expect(await refused({ document: (document) => ({ ...document, token_endpoint: address }) })).toContain("internal: the provider of connector \"corp\" names a token_endpoint that is refused");
  }
});
