import type { SessionView } from "../../access/index.ts";
import type { SessionPlace } from "../../formats/index.ts";

/** A session, live or recorded, as rules see it. */
export function sessionView(session: SessionPlace & { readonly sid: string; readonly kind: string; readonly user: string; readonly participants?: readonly string[] | undefined }): SessionView {
  const { sid, proto, kind, user, participants = [user], cluster, namespace, pod, container, login, node } = session;
  return { sid, proto, kind, user, participants, cluster, namespace, pod, container, login, node };
}
