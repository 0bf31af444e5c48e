import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer that another provider says it gave is refused (RFC 9207)", async () => {
  const said = await refused({ redirect: (parameters) => ({ ...parameters, iss: "https://evil.example" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("the answer is not from the provider of connector \"corp\"");
});
