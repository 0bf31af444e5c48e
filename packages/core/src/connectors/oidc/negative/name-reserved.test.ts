import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a name that no user may have is refused", async () => {
  for (const login of ["system:masters", "System:admin", "local-admin", "a/b", "a b", "x\u001b[31m", "", "..", 7]) {
    expect(await refused({}, { spec: { username_claim: "login" }, person: { sub: "x", login, groups: ["dev"] } })).toMatch(/^access_denied: (?!.*\u001b)/);
  }
});
