import { Flags } from "@oclif/core";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { chosenProxy, clientHome, parsePin } from "@gatehouse/core/client";
import { openJoiner, readJoinToken, type Joiner, type JoinMethod } from "@gatehouse/core/client/join";
import { durationFlag } from "@gatehouse/core/client/command";

const methods = ["token", "github-actions", "gitlab", "kubernetes", "oidc"] as const satisfies readonly JoinMethod[];

/** What a machine's login takes, on `tsh login` and `tsh bot start`. */
export const joinFlags = {
  "join-method": Flags.option({ options: methods, summary: "Without a person: what proves that this is a bot's machine" })(),
  token: Flags.string({ summary: "Name of the bot's token; of a one-use one the absolute path of its file; else TSH_JOIN_TOKEN", helpValue: "<name>|<file>" }),
  "jwt-file": Flags.string({ summary: "File with the job's JWT; for kubernetes /var/run/secrets/gatehouse/token where left out", helpValue: "<file>" }),
  "jwt-env": Flags.string({ summary: "Variable with the job's JWT; TSH_JWT where left out", helpValue: "<name>" }),
  audience: Flags.string({ summary: "Whom a JWT shall be for that is asked for; https://<gateway> where left out", helpValue: "<text>" }),
};

/** The values of {@link joinFlags}, and of the flags beside them. */
export interface JoinFlagValues {
  readonly proxy?: string | undefined;
  readonly "join-method"?: JoinMethod | undefined;
  readonly token?: string | undefined;
  readonly "jwt-file"?: string | undefined;
  readonly "jwt-env"?: string | undefined;
  readonly audience?: string | undefined;
  readonly "ca-pin"?: string | undefined;
  readonly ttl?: string | undefined;
}

/** v3 counts `--ttl` in minutes; a duration says its units. */
export function parseTtl(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 60_000 : durationFlag("--ttl", text);
}

/** Gets ready to join as the flags say. Throws `usage`. */
export async function joinerOf(flags: JoinFlagValues, notice: (text: string) => void): Promise<Joiner> {
  const method = flags["join-method"];
  if (method === undefined) throw new GatehouseError("usage", "how does this machine prove what it is?", { hint: `--join-method is one of ${methods.join(", ")}` });
  const proxy = await chosenProxy(clientHome(process.env), process.env, flags.proxy);
  if (proxy === undefined) throw new GatehouseError("usage", "which gateway?", { hint: "--proxy=<gateway>, or TELEPORT_PROXY" });
  return openJoiner({
    proxy,
    method,
    token: await readJoinToken(method, flags.token, process.env),
    jwtFile: flags["jwt-file"],
    jwtEnv: flags["jwt-env"],
    audience: flags.audience,
    caPin: flags["ca-pin"] === undefined ? undefined : parsePin(flags["ca-pin"]),
    ttl: flags.ttl === undefined ? undefined : parseTtl(flags.ttl),
    env: process.env,
    clock: systemClock,
    notice,
  });
}
