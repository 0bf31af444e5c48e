/** The hosts behind the gateway: the directory that targets are looked up in, whose a name or key is, hosts that join, and what counts no more. */
export type * from "./types.ts";
export { createNodeDirectory } from "./directory.ts";
export { claim, reservedHostName, unclaim } from "./claims.ts";
export { createHostJoins } from "./join.ts";
export { createHostSign } from "./sign.ts";
export { hostCertificateTtl } from "./certificate.ts";
export { createRevocations } from "./revocations.ts";
export { hostNamespace, joinMessage, renewMessage } from "./challenge.ts";
