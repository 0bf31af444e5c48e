import type { z } from "zod";
import { GatehouseError } from "../../base/index.ts";

/** A request's body or parameters by their schema. Throws `bad_parameter` that names the first field that does not fit. */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  throw new GatehouseError("bad_parameter", `request: ${path === "" ? "" : `${path}: `}${issue?.message ?? "has another shape than expected"}`, { cause: parsed.error });
}
