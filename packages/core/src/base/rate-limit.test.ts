import { describe, expect, it } from "vitest";
import { manualClock } from "./clock.ts";
import { addressKey, createRateLimiter } from "./rate-limit.ts";

describe("rate limits", () => {
  it("forget whom they have not seen longest, and stay bounded", () => {
    const limiter = createRateLimiter({ burst: 1, perSecond: 1, keys: 3 }, manualClock(0));
    for (const caller of ["a", "b", "c", "d"]) expect(limiter.take(caller)).toBe(0);
    expect(limiter.take("d")).toBeGreaterThan(0);
    expect(limiter.take("a")).toBe(0);
  });

  it("count an IPv6 household as one", () => {
    expect(addressKey("2001:db8:1:2:3:4:5:6")).toBe(addressKey("2001:db8:1:2::9"));
    expect(addressKey("2001:db8:1:2::1")).not.toBe(addressKey("2001:db8:1:3::1"));
    expect(addressKey("::ffff:10.0.0.1")).toBe("10.0.0.1");
    expect(addressKey("::1")).toBe("0:0:0:0");
    expect(addressKey("10.0.0.1")).not.toBe(addressKey("10.0.0.2"));
    expect(addressKey("10.0.0.1:4711")).toBe(addressKey("10.0.0.1"));
    expect(addressKey("2001:db8:1:2::9:4711")).toBe(addressKey("2001:db8:1:2::8"));
  });
});
