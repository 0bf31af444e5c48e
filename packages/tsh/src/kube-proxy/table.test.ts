import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SeenRequest } from "@gatehouse/agent/kube-proxy";
import { plainStyle } from "@gatehouse/core/client/terminal";
import { describeBytes, exportLine, startTable, tableLines } from "./table.ts";

const request = (what: string, more: Partial<SeenRequest> = {}): SeenRequest => ({ number: 1, cluster: "staging", verb: "list", what, status: 200, began: 1000, ended: 1012, bytes: 5120, ...more });

describe("tableLines", () => {
  const options = { now: 5000, columns: 60, several: false, style: plainStyle };

  it("has a line for each request, the live ones with the time so far", () => {
    expect(tableLines([request("default/pods", { verb: "watch", ended: undefined }), request("nodes", { status: undefined, bytes: 0 })], 7, options)).toEqual([
      "STATUS  VERB   TIME   BYTES   RESOURCE",
      "200     watch  4 s    5.1 kB  default/pods",
      "…       list   12 ms  0 B     nodes",
      "7 requests, 1 under way; Ctrl-C ends the proxy",
    ]);
  });

  it("names clusters where there are several, and cuts what is too long for the terminal", () => {
    const lines = tableLines([request("x".repeat(100))], 1, { ...options, several: true });
    expect(lines[0]).toContain("CLUSTER");
    expect(lines.every((line) => line.length <= 60)).toBe(true);
    expect(lines[1]).toMatch(/x…$/);
  });

  it("shows nothing of outside text that moves the cursor", () => {
    expect(tableLines([request("a\x1b[2Jb\nc")], 1, options).join("")).not.toMatch(/\x1b|\n/);
  });
});

describe("a table on a terminal", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is drawn over itself, only when something changed, and gives way", () => {
    const written: string[] = [];
    let list = [request("pods")];
    const requests = { version: 1, count: 1, list: (most: number) => list.slice(0, most) };
    const table = startTable(requests, { write: (text: string) => written.push(text), columns: 80, rows: 10 }, { several: false, style: plainStyle, now: () => 5000 });
    expect(written.length).toBe(1);
    vi.advanceTimersByTime(2000);
    expect(written.length).toBe(1);
    list = Array.from({ length: 50 }, () => request("pods"));
    requests.version++;
    vi.advanceTimersByTime(250);
    expect(written.length).toBe(2);
    expect(written[1]).toMatch(/^\x1b\[3F/);
    // Four rows, the header and the last line: what a terminal of ten rows has room for.
    expect(written[1]?.split("\n").length).toBe(7);
    table.pause();
    requests.version++;
    vi.advanceTimersByTime(1000);
    expect(written.slice(2)).toEqual(["\x1b[6F\x1b[J"]);
    table.resume();
    expect(written.at(-1)).toMatch(/^STATUS/);
    table.stop();
  });
});

describe("exportLine", () => {
  it("is what a shell reads back", () => {
    expect(exportLine("KUBECONFIG", "/run/user/1000/gatehouse/kube/run-1-a/kubeconfig")).toBe("export KUBECONFIG=/run/user/1000/gatehouse/kube/run-1-a/kubeconfig\n");
    expect(exportLine("KUBECONFIG", "/home/o'b x/k")).toBe("export KUBECONFIG='/home/o'\\''b x/k'\n");
  });
});

describe("describeBytes", () => {
  it.each([[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [999_960, "1.0 MB"], [12_345_678, "12.3 MB"], [5e12, "5.0 TB"]])("%s is %s", (bytes, text) => {
    expect(describeBytes(bytes)).toBe(text);
  });
});
