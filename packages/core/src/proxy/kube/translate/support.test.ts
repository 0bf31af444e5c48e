import { describe, expect, it } from "vitest";
import { StreamSupport, minorVersion } from "./support.ts";

describe("a version", () => {
  it.each([
    [{ major: "1", minor: "33", gitVersion: "v1.33.1" }, 33],
    [{ major: "1", minor: "29+", gitVersion: "v1.29.4-gke.1043002" }, 29],
    [{ major: "1", minor: "28", gitVersion: "v1.28.9-eks-036c24b" }, 28],
    [{ major: "", minor: "", gitVersion: "v1.30.0+k3s1" }, 30],
    [{ major: "", minor: "", gitVersion: "v0.0.0-master+faecb196815e2" }, undefined],
    [{ major: "2", minor: "1", gitVersion: "v2.1.0" }, undefined],
    [{ major: "1", minor: "33" }, undefined],
    ["ok", undefined],
    [undefined, undefined],
  ])("%j is minor version %j", (answer, minor) => expect(minorVersion(answer)).toBe(minor));
});

describe("what an API server speaks", () => {
  it("is by its version, and asked for again when that is old or could not be learnt", async () => {
    let now = 0;
    let asked = 0;
    let answer: unknown = new Error("down");
    const support = new StreamSupport(
      () => {
        asked += 1;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      () => now,
    );
    await support.learn();
    expect([support.speaks("command"), asked]).toEqual([false, 1]);
    answer = { major: "1", minor: "30", gitVersion: "v1.30.0" };
    now = 60_000;
    expect(support.speaks("command")).toBe(false);
    await support.learn();
    expect([support.speaks("command"), support.speaks("portforward"), asked]).toEqual([true, false, 2]);
    answer = { major: "1", minor: "31", gitVersion: "v1.31.0" };
    now += 3_600_000;
    support.speaks("command");
    await support.learn();
    expect([support.speaks("portforward"), asked]).toEqual([true, 3]);
    answer = new Error("down");
    now += 3_600_000;
    support.speaks("command");
    await support.learn();
    expect([support.speaks("command"), asked]).toEqual([true, 4]);
  });

  it("is forgotten for ten minutes where it was refused", async () => {
    let now = 0;
    const support = new StreamSupport(() => Promise.resolve({ major: "1", minor: "33", gitVersion: "v1.33.0" }), () => now);
    await support.learn();
    support.refused("command");
    expect([support.speaks("command"), support.speaks("portforward")]).toEqual([false, true]);
    now = 600_000;
    expect(support.speaks("command")).toBe(true);
  });
});
