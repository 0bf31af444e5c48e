import type { Program } from "@gatehouse/core/client/command";

/** Every command of tctl. */
export const tctl: Program = {
  name: "tctl",
  description: "Administer a cluster: roles, connectors, users",
  commands: {
    get: { summary: "Print resources", load: async () => (await import("./commands/get.ts")).Get },
    create: { summary: "Create resources from a file, or overwrite them", load: async () => (await import("./commands/create.ts")).Create },
    rm: { summary: "Remove a resource", load: async () => (await import("./commands/rm.ts")).Rm },
    edit: { summary: "Change a resource in your editor", load: async () => (await import("./commands/edit.ts")).Edit },
    "users:add": { summary: "Invite a user", load: async () => (await import("./commands/users/add.ts")).UsersAdd },
    "users:ls": { summary: "List users", load: async () => (await import("./commands/users/ls.ts")).UsersLs },
    "users:rm": { summary: "Remove users", load: async () => (await import("./commands/users/rm.ts")).UsersRm },
    "users:reset": { summary: "Take a user's password away and invite them to choose another", load: async () => (await import("./commands/users/reset.ts")).UsersReset },
    lock: { summary: "Lock somebody or something out", load: async () => (await import("./commands/lock.ts")).LockCommand },
    "locks:ls": { summary: "List locks", load: async () => (await import("./commands/locks/ls.ts")).LocksLs },
    "locks:rm": { summary: "Remove locks", load: async () => (await import("./commands/locks/rm.ts")).LocksRm },
    "sessions:ls": { summary: "List sessions under way", load: async () => (await import("./commands/sessions/ls.ts")).SessionsLs },
    "sessions:watch": { summary: "Watch a session as it happens", load: async () => (await import("./commands/sessions/watch.ts")).SessionsWatch },
    "sessions:kill": { summary: "End a session", load: async () => (await import("./commands/sessions/kill.ts")).SessionsKill },
    "auth:export": { summary: "Print the public keys of the certificate authorities", load: async () => (await import("./commands/auth/export.ts")).AuthExport },
    "auth:sign": { summary: "Write a login of a user to a file, for what runs without a person", load: async () => (await import("./commands/auth/sign.ts")).AuthSign },
    "events:ls": { summary: "List events of the audit log, or follow them", load: async () => (await import("./commands/events/ls.ts")).EventsLs },
    "audit:witness": { summary: "Print the checkpoints that this gateway keeps as the witness of another one", load: async () => (await import("./commands/audit/witness.ts")).AuditWitness },
    "audit:verify": { summary: "Check that the audit log and its recordings are as they were written", load: async () => (await import("./commands/audit/verify.ts")).AuditVerify },
    "kubeconfig:create": { summary: "Prepare a Kubernetes cluster for the gateway, and write the gateway's kubeconfig", load: async () => (await import("./commands/kubeconfig/create.ts")).KubeconfigCreate },
    status: { summary: "Show the cluster, its authorities and its Kubernetes clusters", load: async () => (await import("./commands/status.ts")).Status },
    version: { summary: "Print the version", load: async () => (await import("./commands/version.ts")).Version },
  },
  topics: { users: "People with an account", locks: "Who and what is locked out", sessions: "Sessions under way", auth: "Certificate authorities", audit: "The audit log", events: "Events of the audit log", kubeconfig: "Credentials of the gateway in a Kubernetes cluster" },
  leading: { "--data-dir": true, "--config": true, "-c": true, "--identity": true, "-i": true, "--proxy": true, "--debug": false, "-d": false },
};
