/** Names for completion, asked of the gateway. */
export { fetchAdminNames, fetchPersonNames } from "./fetch.ts";
export type { FoundNames } from "./fetch.ts";
export { readFetchWords } from "./words.ts";
export type { FetchWords } from "./words.ts";
