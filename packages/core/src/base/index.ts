/** What every room stands on: errors, clock, randomness, durations, text for terminals, limits, log. */
export { GatehouseError, codeForStatus, errorMessage, fileProblem, isErrorCode, outputError, systemErrorCode, toGatehouseError } from "./errors.ts";
export type { ErrorCode, ErrorOptions } from "./errors.ts";
export { manualClock, systemClock } from "./clock.ts";
export type { Clock, ManualClock } from "./clock.ts";
export { randomHex, refusalId, systemRandom, uuid } from "./random.ts";
export type { Random } from "./random.ts";
export { describeDuration, formatDuration, parseDuration } from "./duration.ts";
export { didYouMean, escapeInQuotes, escapeLine, escapeText, formatJson, nearest } from "./text.ts";
export { hasLabels, readLabels } from "./labels.ts";
export type { Label } from "./labels.ts";
export { limits, readAll } from "./limits.ts";
export { createGate } from "./gate.ts";
export type { Gate } from "./gate.ts";
export { addressKey, createRateLimiter } from "./rate-limit.ts";
export type { RateLimit, RateLimiter } from "./rate-limit.ts";
export { nullLogger } from "./log.ts";
export type { LogFields, Logger } from "./log.ts";
export { version } from "./version.ts";
