import type { Program } from "@gatehouse/core/client/command";

/** Every command of tsh. */
export const tsh: Program = {
  name: "tsh",
  description: "Log in once, then reach Kubernetes and hosts through the gateway",
  commands: {
    login: { summary: "Log in to a gateway and point kubectl at it", load: async () => (await import("./commands/login.ts")).Login },
    logout: { summary: "End a login here and at the gateway", load: async () => (await import("./commands/logout.ts")).Logout },
    status: { summary: "Show who is logged in where, and until when", load: async () => (await import("./commands/status.ts")).Status },
    clusters: { summary: "List the clusters behind the gateway", load: async () => (await import("./commands/clusters.ts")).Clusters },
    "kube:ls": { summary: "List Kubernetes clusters and your groups there", load: async () => (await import("./commands/kube/ls.ts")).KubeLs },
    "kube:login": { summary: "Make kubectl talk to a Kubernetes cluster", load: async () => (await import("./commands/kube/login.ts")).KubeLogin },
    "kube:credentials": { summary: "Print credentials for kubectl, which runs this itself", load: async () => (await import("./commands/kube/credentials.ts")).KubeCredentials },
    ssh: { summary: "Log in to a host, or run a command on one or many", verbatim: true, load: async () => (await import("./commands/ssh.ts")).Ssh },
    scp: { summary: "Copy files to and from hosts", load: async () => (await import("./commands/scp.ts")).Scp },
    sftp: { summary: "Look around in a host's files, and copy some", load: async () => (await import("./commands/sftp.ts")).Sftp },
    config: { summary: "Let plain ssh, scp, rsync and git reach hosts through the gateway", load: async () => (await import("./commands/config.ts")).Config },
    "bot:start": { summary: "Keep a bot's login fresh in files while a job runs", load: async () => (await import("./commands/bot/start.ts")).BotStart },
    "recordings:ls": { summary: "List recordings of sessions", load: async () => (await import("./commands/recordings/ls.ts")).RecordingsLs },
    "recordings:export": { summary: "Write a recording as asciicast, JSON or text", load: async () => (await import("./commands/recordings/export.ts")).RecordingsExport },
    "mfa:ls": { summary: "List your second factors", load: async () => (await import("./commands/mfa/ls.ts")).MfaLs },
    "mfa:add": { summary: "Add a second factor", load: async () => (await import("./commands/mfa/add.ts")).MfaAdd },
    "mfa:rm": { summary: "Remove one of your second factors", load: async () => (await import("./commands/mfa/rm.ts")).MfaRm },
    "mfa:codes": { summary: "Get new recovery codes", load: async () => (await import("./commands/mfa/codes.ts")).MfaCodes },
    join: { summary: "Take part in a session under way", load: async () => (await import("./commands/join.ts")).Join },
    play: { summary: "Play a recording", load: async () => (await import("./commands/play.ts")).Play },
    proxy: { summary: "Run the gateway", load: async () => (await import("./commands/proxy.ts")).Proxy },
    "proxy:ssh": { summary: "Carry one SSH connection to a host, which ssh runs itself", load: async () => (await import("./commands/proxy/ssh.ts")).ProxySsh },
    version: { summary: "Print the version", load: async () => (await import("./commands/version.ts")).Version },
  },
  topics: { bot: "Logins of machines", mfa: "Your second factors, as a local user", recordings: "What people did in their sessions", kube: "Kubernetes clusters behind the gateway" },
  leading: { "--proxy": true, "--identity": true, "-i": true, "--debug": false, "-d": false },
};
