/** Logins in files of their own, for what runs without a person: what they look like, and how they are written. */
export { identityFiles, identityFormats, identityPaths } from "./formats.ts";
export type { IdentityFile, IdentityFormat } from "./formats.ts";
export { refuseExisting, refuseUnwritable, writeIdentityFiles } from "./write.ts";
export { newKey } from "../key.ts";
export type { NewKey } from "../key.ts";
export { accountOf } from "../kube-access.ts";
export { verifyLogin } from "../verify.ts";
