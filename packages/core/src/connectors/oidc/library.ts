/** The libraries behind OIDC, in a file that is loaded with the first login through such a connector. */
export * as client from "openid-client";
export * as jose from "jose";
