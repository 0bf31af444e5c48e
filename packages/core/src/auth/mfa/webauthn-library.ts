/** The library of WebAuthn, apart, so that it is loaded when the first key is asked: it brings readers of certificates with it. */
export { generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
