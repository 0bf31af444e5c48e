import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a provider whose name differs in a slash alone is another one", async () => {
  const said = await refused({ document: (document) => ({ ...document, issuer: `${String(document["issuer"])}/` }) });
  expect(said).toContain("internal: ");
  expect(said).toContain("calls itself http://127.0.0.1:");
});
