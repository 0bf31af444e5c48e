import { z } from "zod";
import { readBy } from "./fields.ts";

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** An `https` address; plain `http` on this machine alone. */
export const webAddress: z.ZodType<string> = readBy((value, fail) => {
  if (typeof value !== "string" || value === "") {
    fail(value === undefined ? "is missing" : "must be an address such as https://teleport.example.com:3080/…");
    return "";
  }
  const url = URL.canParse(value) && value.length <= 2048 ? new URL(value) : undefined;
  if (!url) fail("is no web address");
  else if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback.has(url.hostname))) fail("must begin with https:// (http:// is for this machine alone)");
  else if (url.username !== "" || url.password !== "") fail("must not have a user name or password in it");
  return value;
});

/** {@link webAddress} that may be missing. */
export const optionalAddress: z.ZodType<string | undefined> = z.preprocess((value) => (value === null || value === "" ? undefined : value), webAddress.optional());
