/** The hosts behind the gateway: the directory that targets are looked up in, and whose a name or key is. */
export type * from "./types.ts";
export { createNodeDirectory } from "./directory.ts";
export { claim, unclaim } from "./claims.ts";
