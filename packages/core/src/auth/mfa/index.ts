/** Second factors of local users: what they have, and whether what they show holds. */
export type * from "./types.ts";
export { checkProof, mfaHashes, needsFactor } from "./check.ts";
export { factorsOperation, loadFactors, maxDevices, readFactors, viewOf } from "./record.ts";
export { newRecoverySet } from "./recovery.ts";
export { newTotpSecret, totpCode, totpPeriod, totpStep, totpUri } from "./totp.ts";
export { authenticationOptions, challengeTime, registrationOptions, relyingParty, verifyRegistration } from "./webauthn.ts";
export { liveChallenge, newChallenge } from "./challenge.ts";
export { acceptedKinds, register, suffices } from "./register.ts";
export type { Registration } from "./register.ts";
