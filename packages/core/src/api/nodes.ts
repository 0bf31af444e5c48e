import { z } from "zod";

/** Path of the hosts that the caller may log in to. */
export const nodesPath = "/gatehouse/v1/nodes";

/** `GET` of {@link nodesPath}: the hosts that the caller's roles let them log in to, sorted by hostname. */
export const nodesResponse = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      hostname: z.string(),
      /** `host:port` where the gateway dials it. */
      addr: z.string(),
      labels: z.record(z.string(), z.string()),
      /** Accounts that the caller may use there, at least one, sorted. */
      logins: z.array(z.string()),
    }),
  ),
});
export type NodeItem = z.infer<typeof nodesResponse>["items"][number];
