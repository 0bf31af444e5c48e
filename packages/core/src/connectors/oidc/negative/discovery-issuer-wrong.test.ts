import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a provider that calls itself otherwise than the connector does is not used", async () => {
  const said = await refused({ document: (document) => ({ ...document, issuer: "https://evil.example" }) });
  expect(said).toContain("internal: ");
  expect(said).toContain("calls itself https://evil.example");
});
