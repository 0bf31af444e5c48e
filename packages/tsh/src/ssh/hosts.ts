import { userInfo } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "@gatehouse/core/base";
import { openSession, type Session } from "@gatehouse/core/client";
import { chooseHosts, openRunFolder, type ChosenHost, type HostTarget, type RunFolder } from "@gatehouse/core/client/ssh";
import { runningProgram } from "../program.ts";

/** A login, as the commands for hosts use it. */
export interface HostSession {
  readonly session: Session;
  choose(target: HostTarget): Promise<readonly ChosenHost[]>;
  /** For runs of OpenSSH's programs. */
  openFolder(): Promise<RunFolder>;
}

function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without a name (a container's number) is nobody's default.
    return "";
  }
}

/** Opens the login that the flags choose. Throws `unauthenticated`. */
export async function openHostSession(flags: { readonly proxy?: string | undefined; readonly identity?: string | undefined }): Promise<HostSession> {
  const session = await openSession(process.env, flags, systemClock.now());
  const { home, record, profile, identity, admin } = session;
  return {
    session,
    choose: (target) => chooseHosts({ target, cluster: record.cluster, logins: profile.logins, localUser: localUser(), list: () => admin.nodes() }),
    openFolder: () => openRunFolder(home, record, runningProgram(), identity === undefined ? undefined : resolve(identity)),
  };
}
