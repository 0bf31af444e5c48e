import { parseAuthorizedKey } from "../../formats/ssh/index.ts";
import type { LoginRecord } from "../lean/index.ts";

/**
 * `@cert-authority` lines (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") of the cluster's host authority. They are for every name: the file is only ever named
 * for hosts behind this gateway, and whatever answers there needs a certificate for the name that was asked for. Throws `bad_parameter` for a key that is none.
 */
export function knownHostsText({ cluster, hostKeys }: Pick<LoginRecord, "cluster" | "hostKeys">): string {
  return hostKeys
    .map((line) => {
      const { type, blob } = parseAuthorizedKey(line);
      return `@cert-authority * ${type} ${blob.toString("base64")} ${cluster.replace(/[^\x21-\x7e]/g, "_")}\n`;
    })
    .join("");
}
