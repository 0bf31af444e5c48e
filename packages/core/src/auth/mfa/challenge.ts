import type { Random } from "../../base/index.ts";
import type { ChallengeRecord } from "../records.ts";
import { challengeTime } from "./webauthn.ts";

/** A new challenge: 32 random bytes, for three minutes. */
export function newChallenge(random: Random, now: number): ChallengeRecord {
  return { value: Buffer.from(random(32)).toString("base64url"), ends: now + challengeTime };
}

/** The value of a challenge that has not ended; empty, which no answer is to, for any other. */
export function liveChallenge(challenge: ChallengeRecord | undefined, now: number): string {
  return challenge && challenge.ends > now ? challenge.value : "";
}
