import { GatehouseError } from "../../base/index.ts";

/** A finished login goes to a terminal on the browser's own machine and nowhere else, whatever was stored. */
export function loopbackOnly(location: string): string {
  const url = new URL(location);
  if (url.protocol !== "http:" || !["127.0.0.1", "[::1]", "localhost"].includes(url.hostname)) {
    throw new GatehouseError("internal", "a finished login would have gone to another machine");
  }
  return location;
}
