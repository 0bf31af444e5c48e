import type { NamePlaces } from "@gatehouse/core/client/completion";

/** Where names stand in tctl's lines. */
export const places: NamePlaces = {
  args: {
    get: { each: ["ref", "ref-name"] },
    rm: { each: ["one-ref", "ref-name"] },
    edit: { each: ["one-ref", "ref-name"] },
    create: { each: ["files"] },
    "users:rm": { rest: "user" },
    "users:reset": { each: ["user"] },
    "users:mfa:ls": { each: ["user"] },
    "users:mfa:rm": { each: ["user"] },
    "users:mfa:reset": { each: ["user"] },
    "bots:rm": { rest: "bot" },
    "nodes:rm": { rest: "node" },
    "tokens:rm": { rest: "token" },
    "locks:rm": { rest: "lock" },
    "sessions:watch": { each: ["session"] },
    "sessions:kill": { each: ["session"] },
    "sso:test": { each: ["connector"] },
  },
  flags: {
    proxy: "profile",
    roles: "roles",
    bot: "bot",
    "lock --user": "user",
    "lock --role": "role",
    "lock --node": "node",
    "lock --kube-cluster": "cluster",
    "lock --session": "session",
    "auth:sign --user": "user",
    "events:ls --user": "user",
  },
};
