import { z } from "zod";
import { errorMessage } from "../../../base/index.ts";
import type { Logger } from "../../../base/index.ts";
import { askUpstream, parseJson } from "../ask.ts";
import type { Grant } from "../authorize.ts";

/** How long a session waits to learn what it runs in, ms. */
const lookTime = 1000;
const podSize = 2 * 1024 * 1024;

/** The container that a command runs in. */
export interface RunsIn {
  readonly container: string;
  readonly image: string;
}

const containers = z.array(z.object({ name: z.string().max(1024), image: z.string().max(4096) })).max(1000);
const podAnswer = z.object({ spec: z.object({ containers, initContainers: containers.optional(), ephemeralContainers: containers.optional() }) });

/**
 * Asks for the pod as the person would, whose right to see it need not go with the right to run something in it. Undefined where that, or anything else,
 * keeps it from being known: a session does not depend on it.
 */
export async function findContainer(grant: Grant, asked: string | null, logger: Logger): Promise<RunsIn | undefined> {
  const { connection, groups, kubernetesUser, path, upstream } = grant;
  const pod = `/api/v1/namespaces/${encodeURIComponent(path.namespace)}/pods/${encodeURIComponent(path.name)}`;
  try {
    const { status, text } = await askUpstream(upstream, "GET", pod, { headers: connection.impersonate(kubernetesUser, groups).headers, timeout: lookTime, size: podSize });
    return status === 200 ? chosen(parseJson(text), asked) : undefined;
  } catch (error) {
    logger.debug({ pod: path.name, error: errorMessage(error) }, "the container of a session is not known");
    return undefined;
  }
}

/** The one that was asked for; where none was, the only one, for the API server wants to be told which of several. */
function chosen(answer: unknown, asked: string | null): RunsIn | undefined {
  const parsed = podAnswer.safeParse(answer);
  if (!parsed.success) return undefined;
  const { containers: own, initContainers = [], ephemeralContainers = [] } = parsed.data.spec;
  const found = asked === null || asked === "" ? (own.length === 1 ? own[0] : undefined) : [...own, ...initContainers, ...ephemeralContainers].find(({ name }) => name === asked);
  return found && { container: found.name, image: found.image };
}
