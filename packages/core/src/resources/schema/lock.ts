import { z } from "zod";
import { uuid } from "../../base/index.ts";
import type { Lock, LockTarget, Metadata } from "../types.ts";
import { anyText, compact, fields, readBy, text, time } from "./fields.ts";
import { metadata, nameProblem } from "./metadata.ts";
import { isUnixLogin } from "./values.ts";

const sessionId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A field of the target: absent, or text that `check` says nothing against. */
function named(check: (value: string) => string | undefined): z.ZodType<string | undefined> {
  return readBy((value, fail) => {
    if (value === undefined || value === null) return undefined;
    const problem = typeof value !== "string" ? "must be text; put it in quotes" : value === "" ? "must not be empty" : check(value);
    if (problem !== undefined) fail(problem);
    return typeof value === "string" ? value : undefined;
  });
}

const plain = (value: string): string | undefined => {
  const parsed = text(256).safeParse(value);
  return parsed.success ? undefined : parsed.error.issues[0]?.message;
};

const target: z.ZodType<LockTarget> = z.preprocess(
  (value) => value ?? {},
  fields({
    user: named(nameProblem),
    role: named(nameProblem),
    login: named((value) => (isUnixLogin(value) ? undefined : "is no login")),
    node: named(plain),
    kube_cluster: named(plain),
    session: named((value) => (sessionId.test(value) ? undefined : "is no session id, such as 6f0e2a1c-8d1b-4c6e-9f60-0c2c1b7e5d11")),
  })
    .transform(compact)
    .refine((given) => Object.keys(given).length > 0, "names nothing to lock: it needs user, role, login, node, kube_cluster or session")
    .refine(
      (given) => given.kube_cluster === undefined || (given.login === undefined && given.node === undefined),
      "can match nothing: login and node are of hosts, kube_cluster is of Kubernetes; write two locks",
    ),
);

const name: z.ZodType<string> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return uuid();
  const given = typeof value === "string" ? value : "";
  const problem = given === "" ? "must be text; put it in quotes" : nameProblem(given);
  if (problem !== undefined) fail(problem);
  return given;
});

const envelope: z.ZodType<Metadata> = z.preprocess((value) => value ?? {}, metadata(() => undefined, name)).superRefine((given, context) => {
  if (given.expires !== undefined) context.addIssue({ code: "custom", path: ["expires"], message: "is not how a lock ends; write spec.expires" });
});

const message = anyText(1024)
  .regex(/^[^\u0000-\u001f\u007f]*$/, "must be one line without control characters")
  .nullish()
  .transform((value) => (value === null || value === "" ? undefined : value));

/** `lock` v2. Without a name it gets a UUID. */
export const lockV2: z.ZodType<Lock> = fields({
  kind: z.literal("lock"),
  version: z.literal("v2"),
  metadata: envelope,
  spec: fields({
    target,
    message,
    expires: time,
    created_at: time,
    created_by: anyText(256)
      .nullish()
      .transform((value) => (value === null || value === "" ? undefined : value)),
  }).transform(compact),
});
