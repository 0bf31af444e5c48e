/**
 * The rooms of packages/core/src and the rooms each may import (through its door, `index.ts`, alone).
 * eslint.config.js turns this table into a lint rule; ARCHITECTURE.md explains it.
 * @type {Record<string, readonly string[]>}
 */
const shared = {
  base: [],
  formats: ["base"],
  ssh: ["base", "formats"],
  resources: ["base", "formats"],
  access: ["base", "formats", "resources"],
  api: ["base", "formats", "resources", "access"],
  relay: ["base", "formats"],
  client: ["base", "formats", "ssh", "resources", "access", "api"],
};
const below = ["base", "formats", "ssh", "resources", "access", "api", "relay"];
/** Rooms that a client command never loads. @type {Record<string, readonly string[]>} */
const server = {
  config: below,
  store: below,
  ca: [...below, "store"],
  audit: [...below, "store"],
  connectors: [...below, "store"],
  auth: [...below, "store", "ca", "audit", "connectors"],
  proxy: [...below, "config", "store", "ca", "audit", "connectors", "auth"],
};
export const rooms = { ...shared, ...server };
export const serverRooms = Object.keys(server);
