import type { JoinMethod, ProvisionToken } from "./types.ts";

/** A method by which jobs join with a JWT of their own. */
export interface JobMethod {
  /** Who signs its JWTs unless the token says so; undefined where every token has to. */
  readonly issuer: string | undefined;
  /** Keys of `allow`; undefined for any claim, by its path. */
  readonly keys: readonly string[] | undefined;
  /** Of these each rule has one: without it, anybody's job at the issuer would match. */
  readonly anchors: readonly string[];
}

/**
 * Methods with a JWT. Claims as documented by GitHub ("OpenID Connect reference"), GitLab ("ID token payload") and Kubernetes ("service account token
 * volume projection"); `branch` and `service_account` are read out of `ref` and `sub`.
 */
export const jobMethods: Readonly<Record<Exclude<JoinMethod, "token">, JobMethod>> = {
  "github-actions": {
    issuer: "https://token.actions.githubusercontent.com",
    keys: [
      "repository", "repository_id", "repository_owner", "repository_owner_id", "repository_visibility", "ref", "ref_type", "branch", "environment", "workflow", "workflow_ref",
      "job_workflow_ref", "event_name", "actor", "actor_id", "sub",
    ],
    anchors: ["repository", "repository_id", "repository_owner", "repository_owner_id", "sub"],
  },
  gitlab: {
    issuer: "https://gitlab.com",
    keys: [
      "project_path", "project_id", "namespace_path", "namespace_id", "ref", "ref_type", "branch", "ref_protected", "environment", "environment_protected", "pipeline_source",
      "user_login", "sub",
    ],
    anchors: ["project_path", "project_id", "namespace_path", "namespace_id", "sub"],
  },
  kubernetes: { issuer: undefined, keys: ["service_account"], anchors: ["service_account"] },
  oidc: { issuer: undefined, keys: undefined, anchors: [] },
};

/** Every method. */
export const joinMethods = ["token", "github-actions", "gitlab", "kubernetes", "oidc"] as const satisfies readonly JoinMethod[];

/** Whether a token's name is the secret that it is: not where a JWT has to come with it. */
export function isSecretName({ spec }: ProvisionToken): boolean {
  return spec.join_method === undefined || spec.join_method === "token";
}

/** What bots are called as users: nobody else's name begins so. */
export const botPrefix = "bot:";

/** The user name of a bot. */
export const botUserName = (bot: string): string => `${botPrefix}${bot}`;

/** Whether hosts join with a token: the cluster's own machines are let in by its secret name, told once. */
export function isHostToken({ roles, join_method: method }: Pick<ProvisionToken["spec"], "roles" | "join_method">): boolean {
  return method === "token" && roles.length === 1 && roles[0] === "Node";
}
