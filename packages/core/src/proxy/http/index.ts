/** What the web and the admin API share: a Fastify application behind a server of ours, errors in both shapes, parsed bodies. */
export { createApp } from "./app.ts";
export type { App, AppOptions, HttpHandler } from "./app.ts";
export { errorBody, errorStatus, publicError } from "./errors.ts";
export { parseRequest } from "./parse.ts";
export { limited } from "./limit-hook.ts";
export { withForms } from "./with-forms.ts";
export { originOf } from "./origin.ts";
export { publicKeyLine } from "./public-key.ts";
