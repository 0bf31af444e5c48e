import { describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { createMetadataSource } from "./metadata-source.ts";
import { metadataXml, start, testConnector, testPair } from "./testing/paper.ts";

const first = testPair("provider");
const second = testPair("provider, later");

describe("metadata that is read anew for a signature that does not fit", () => {
  it("is new to everybody who looked before, also to whoever comes after the reading", async () => {
    let cert = first.cert;
    let asked = 0;
    const clock = manualClock(start);
    const connector = testConnector("", { issuer: undefined, sso: undefined, cert: undefined, entity_descriptor_url: "https://idp.example.com/metadata" });
    const source = createMetadataSource(connector, clock, () => (asked++, Promise.resolve(metadataXml([cert]))));
    const [one, other] = [await source.current(), await source.current()];
    clock.advance(60_000);
    cert = second.cert;
    expect(await source.renewed(one)).toBe(true);
    // Its login was being verified while the first one had the metadata read.
    expect(await source.renewed(other)).toBe(true);
    expect(await source.renewed(await source.current())).toBe(false);
    expect(asked).toBe(2);
  });
});
