import type { NamePlaces } from "@gatehouse/core/client/completion";

/** Where names stand in tsh's lines. */
export const places: NamePlaces = {
  args: {
    login: { each: ["cluster"] },
    "kube:login": { each: ["cluster"] },
    "proxy:kube": { rest: "cluster" },
    "proxy:ssh": { each: ["target"] },
    ssh: { each: ["target"] },
    scp: { rest: "copy" },
    sftp: { each: ["target"] },
    play: { each: ["recording-or-file"] },
    "recordings:export": { each: ["recording"] },
    join: { each: ["session"] },
  },
  flags: {
    proxy: "profile",
    auth: "connector",
    "login --user": "kept-user",
    "logout --user": "kept-user",
    "ssh --login": "login",
    "proxy:ssh --login": "login",
    "recordings:ls --login": "login",
    "recordings:ls --node": "node",
    "recordings:ls --cluster": "cluster",
  },
};
