/** HTTP for Kubernetes as a hop passes it on, at the gateway and on a person's machine: hop-by-hop headers, refusals that kubectl prints, upgrades. */
export { lingerTime, rawHead, sendFailure, sendFailureRaw } from "./answer.ts";
export { answerHeaders, namedByConnection, withoutHeaders } from "./headers.ts";
export { readOn } from "./read-on.ts";
export { refusalStatus } from "./status.ts";
export { answerRaw, answerUnacceptable, answerUnreadable, unacceptable } from "./unreadable.ts";
export type { ErrorAnswer, Unacceptable } from "./unreadable.ts";
