import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that comes through the browser is refused: it was not asked for there", async () => {
  const said = await refused({ redirect: (parameters) => ({ ...parameters, id_token: "a.b.c" }) });
  expect(said).toContain("implicit and hybrid flows are not supported");
});
