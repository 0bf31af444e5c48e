import { describe, expect, it } from "vitest";
import { answerHeaders } from "./headers.ts";

describe("answerHeaders", () => {
  it("keeps what belongs to the answer, repeated headers each, and drops what belongs to the connection", () => {
    expect(answerHeaders({ "content-type": "a", connection: "close, x-hop", "x-hop": "1", "transfer-encoding": "chunked", warning: ["a", "b"] })).toEqual(["content-type", "a", "warning", "a", "warning", "b"]);
  });
});
