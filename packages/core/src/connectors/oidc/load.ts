import type * as libraries from "./library.ts";

/** `openid-client` and `jose`. */
export type Libraries = typeof libraries;

/** Loads the libraries; at the second time they are there. */
export const loadLibraries = (): Promise<Libraries> => import("./library.ts");
