import { describe, expect, it } from "vitest";
import { formatNodeAddress, formatResources, parseRef, parseResource, parseResources, readNodeAddress, resourceToJson } from "./index.ts";

const node = (spec: Record<string, unknown>, name?: string): Record<string, unknown> => ({ kind: "node", version: "v2", metadata: name === undefined ? {} : { name }, spec });

describe("nodes", () => {
  it("are written as they are read", () => {
    const parsed = parseResource({ ...node({ addr: "10.0.0.5", hostname: "Web-1" }, "6f0e2a1c-8d1b-4c6e-9f60-0c2c1b7e5d11"), sub_kind: "openssh" });
    expect(resourceToJson(parsed)).toEqual({ kind: "node", version: "v2", sub_kind: "openssh", metadata: { name: "6f0e2a1c-8d1b-4c6e-9f60-0c2c1b7e5d11" }, spec: { addr: "10.0.0.5:22", hostname: "web-1" } });
    expect(parseResource(resourceToJson(parsed))).toEqual(parsed);
    const [again] = parseResources(formatResources([parsed], "yaml", { withSecrets: false }), "node.yaml");
    expect(again?.resource).toEqual(parsed);
  });

  it("have an id of their own, and are called by it unless told otherwise", () => {
    expect(parseResource(node({ addr: "h:2222" }, "web-1"))).toMatchObject({ spec: { hostname: "web-1", addr: "h:2222" } });
    expect(parseResource(node({ addr: "h", hostname: "web" })).metadata.name).toMatch(/^[0-9a-f]{8}-/);
    expect(parseRef("nodes/web-1")).toEqual({ kind: "node", name: "web-1" });
  });

  it.each([
    [node({}, "a"), /spec\.addr: is missing/],
    [node({ addr: "a b" }, "a"), /spec\.addr: must be an address/],
    [node({ addr: "h:0" }, "a"), /spec\.addr/],
    [node({ addr: "h:65536" }, "a"), /spec\.addr/],
    [node({ addr: "fd00::5:22:xx" }, "a"), /spec\.addr/],
    [node({ addr: "h", hostname: "*.example.com" }, "a"), /spec\.hostname: must be a host name/],
    [node({ addr: "h", hostname: "10.0.0.5" }, "a"), /must not end as an IP address/],
    [node({ addr: "h", hostname: "web,admin" }, "a"), /spec\.hostname/],
    [node({ addr: "h", hostname: 7 }, "a"), /must be text/],
    [node({ addr: "h" }, "A"), /metadata\.name: must be in lower case/],
    [node({ addr: "h" }, "a@b"), /metadata\.name/],
    [node({ addr: "h", host_key: "MD5:xx" }, "a"), /spec\.host_key/],
    [node({ addr: "h", hostnme: "x" }, "a"), /hostnme.*hostname/],
    [{ ...node({ addr: "h" }, "a"), sub_kind: "teleport" }, /sub_kind: must be "openssh"/],
  ])("are refused: %j", (value, message) => expect(() => parseResource(value)).toThrow(message));

  it.each([
    ["web-1", "web-1:22"],
    ["WEB-1:2222", "web-1:2222"],
    ["10.0.0.5", "10.0.0.5:22"],
    ["fd00::5", "[fd00::5]:22"],
    ["[fd00::5]:2222", "[fd00::5]:2222"],
  ])("have the address %s", (text, formatted) => {
    const address = readNodeAddress(text);
    expect(address && formatNodeAddress(address)).toBe(formatted);
  });

  it.each(["", ":22", "[10.0.0.5]:22", "h:", "h:22:22", "256.0.0.1:22", "h\n:22", "[fd00::5", "-h:22", "a..b"])("have no address %j", (text) => expect(readNodeAddress(text)).toBeUndefined());
});
