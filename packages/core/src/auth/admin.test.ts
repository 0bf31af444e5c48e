import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { formatResources, parseRef, parseResource, parseResources, redact, type Resource } from "../resources/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "./testing/index.ts";
import type { Admin, Caller } from "./types.ts";

const hour = 3_600_000;
const password = "correct horse battery";

let world: AuthWorld;
let looked: number;
beforeEach(async () => {
  looked = 0;
  world = await openAuthWorld({
    onApplied: () => {
      looked += 1;
      return { checked: 3, ended: 1 };
    },
  });
});
afterEach(() => world.close());

const role = (name: string, spec: Record<string, unknown> = { allow: {} }): Resource => parseResource({ kind: "role", version: "v3", metadata: { name }, spec });
const user = (name: string, spec: Record<string, unknown> = {}): Resource => parseResource({ kind: "user", version: "v2", metadata: { name }, spec: { roles: ["access"], ...spec } });
const connector = (spec: Record<string, unknown> = {}): Resource =>
  parseResource({
    kind: "github",
    version: "v3",
    metadata: { name: "github" },
    spec: {
      client_id: "id",
      client_secret: "hush-hush",
      display: "GitHub",
      redirect_url: "https://gateway.example:3080/v1/webapi/github/callback",
      teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["root"] }],
      ...spec,
    },
  });
/** Somebody with these rules. */
async function person(name: string, rules: readonly Record<string, unknown>[], deny: readonly Record<string, unknown>[] = []): Promise<Caller> {
  await world.put({ kind: "role", version: "v3", metadata: { name: `role-${name}` }, spec: { allow: { rules }, deny: { rules: deny } } });
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles: [`role-${name}`], traits: {}, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
  const login = await world.auth.logins.local({ user: name, password, otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin });
  return { type: "person", identity: world.auth.gatekeeper.identify(world.certificate(login)) };
}

/** Does something just after the next list of a kind, or just before the next transaction that has the word in it. */
function atNext(method: "list" | "transact", word: string, work: () => Promise<unknown>): void {
  const { store } = world;
  const list = store.list.bind(store);
  const transact = store.transact.bind(store);
  const end = (): void => void Object.assign(store, { list, transact });
  if (method === "list") {
    store.list = async (kind) => {
      if (kind !== word) return list(kind);
      end();
      const items = await list(kind);
      await work();
      return items;
    };
    return;
  }
  store.transact = async (operations) => {
    if (operations.some(({ kind, name }) => kind === word || name === word)) {
      end();
      await work();
    }
    return transact(operations);
  };
}

const get = (caller: Caller, kind: "role" | "user" | "github" | "token" | "cluster_auth_preference" | "connectors", name?: string, withSecrets = false) =>
  world.auth.admin.get(caller, name === undefined ? { kind } : { kind, name }, { withSecrets });

describe("a new cluster", () => {
  it("has the preset roles and the preference of its configuration", async () => {
    expect((await get(localAdmin, "role")).map(({ resource }) => resource.metadata.name)).toEqual(["access", "admin"]);
    expect((await get(localAdmin, "cluster_auth_preference"))[0]!.resource).toMatchObject({ spec: { type: "github", second_factor: "off" } });
  });

  it("keeps an edited preset role at the next start, and takes the preference from the file", async () => {
    await world.auth.admin.put(localAdmin, role("admin", { options: { max_session_ttl: "1h" }, allow: {} }), "upsert");
    await world.another({ preference: { type: "local", second_factor: "off" } });
    expect((await get(localAdmin, "role", "admin"))[0]!.resource).toMatchObject({ spec: { options: { max_session_ttl: hour } } });
    expect((await get(localAdmin, "cluster_auth_preference"))[0]!.resource).toMatchObject({ spec: { type: "local" } });
  });
});

describe("put", () => {
  it("creates once, updates by revision, overwrites where asked, and says when nothing changed", async () => {
    const { admin } = world.auth;
    const created = await admin.put(localAdmin, role("dev"), "create");
    expect(created).toMatchObject({ kind: "role", name: "dev", outcome: "created", streams: { checked: 3, ended: 1 } });
    await expect(admin.put(localAdmin, role("dev"), "create")).rejects.toMatchObject({ code: "already_exists", message: 'role "dev" already exists' });
    const updated = await admin.put(localAdmin, role("dev", { allow: { logins: ["root"] } }), { revision: created.revision });
    expect(updated.outcome).toBe("updated");
    await expect(admin.put(localAdmin, role("dev"), { revision: created.revision })).rejects.toMatchObject({ code: "compare_failed" });
    await expect(admin.put(localAdmin, role("nosuch"), { revision: 1 })).rejects.toMatchObject({ code: "not_found" });
    const before = looked;
    expect(await admin.put(localAdmin, role("dev", { allow: { logins: ["root"] } }), "upsert")).toMatchObject({ outcome: "unchanged", revision: updated.revision });
    expect(looked).toBe(before);
    expect(world.audit.events.filter(({ event }) => event.startsWith("role.")).map(({ event, name, user: by }) => [event, name, by])).toEqual([
      ["role.create", "dev", "local-admin"],
      ["role.update", "dev", "local-admin"],
    ]);
  });

  it("of two that create at the same moment lets one, and of two that overwrite both", async () => {
    const { admin } = world.auth;
    const created = await Promise.allSettled(["a", "b"].map((login) => admin.put(localAdmin, role("dev", { allow: { logins: [login] } }), "create")));
    expect(created.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(created.find((outcome) => outcome.status === "rejected")?.reason).toMatchObject({ code: "already_exists" });
    const overwritten = await Promise.allSettled(["c", "d"].map((login) => admin.put(localAdmin, role("dev", { allow: { logins: [login] } }), "upsert")));
    expect(overwritten.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  });

  it("says that a change stands where it cannot be audited", async () => {
    world.audit.before = () => {
      throw new GatehouseError("unavailable", "disk full");
    };
    await expect(world.auth.admin.put(localAdmin, role("dev"), "create")).rejects.toMatchObject({ code: "unavailable", message: 'role "dev" was created, but that could not be written to the audit log' });
    world.audit.before = () => undefined;
    expect(await get(localAdmin, "role", "dev")).toHaveLength(1);
  });

  it("refuses what has expired already, a second preference, and a user with a role that does not exist", async () => {
    const { admin } = world.auth;
    const expired = parseResource({ kind: "user", version: "v2", metadata: { name: "bo", expires: "2020-01-01T00:00:00Z" }, spec: {} });
    await expect(admin.put(localAdmin, expired, "create")).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(admin.put(localAdmin, user("bo", { roles: ["nosuch"] }), "create")).rejects.toMatchObject({ code: "not_found", message: 'role "nosuch" does not exist' });
  });

  it("ends a user at the earlier of metadata.expires and spec.expires", async () => {
    const { admin } = world.auth;
    const at = (offset: number): string => new Date(world.clock.now() + offset).toISOString();
    const ending = (name: string, ends: Record<string, string>, own?: string): Resource =>
      parseResource({ kind: "user", version: "v2", metadata: { name, ...ends }, spec: { roles: ["access"], expires: own } });
    await expect(admin.put(localAdmin, ending("bo", {}, at(-1)), "create")).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("spec.expires is") as string });
    await expect(admin.put(localAdmin, parseResource({ kind: "user", name: "bo", expires: at(-1) }), "create")).rejects.toMatchObject({ code: "bad_parameter" });
    await admin.put(localAdmin, ending("bo", { expires: at(2 * hour) }, at(hour)), "create");
    await admin.put(localAdmin, ending("cy", { expires: at(hour) }, at(2 * hour)), "create");
    await admin.put(localAdmin, parseResource({ kind: "user", name: "di", expires: at(hour) }), "create");
    for (const { resource } of await get(localAdmin, "user")) expect((await admin.put(localAdmin, resource, "upsert")).outcome).toBe("unchanged");
    world.clock.advance(hour - 1);
    expect(await get(localAdmin, "user")).toHaveLength(3);
    world.clock.advance(1);
    expect(await get(localAdmin, "user")).toHaveLength(0);
  });

  it("refuses a user who is called as the audit log calls the host's administrator", () => {
    for (const name of ["local-admin", "Local-Admin"]) expect(() => user(name)).toThrow(`user "${name}" is not valid: metadata.name: is what the administrator of the gateway's host is called`);
    expect(role("local-admin").kind).toBe("role");
  });

  it("keeps who made a user, and makes new names local", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, user("bo"), "create");
    await admin.put(localAdmin, user("bo", { traits: { logins: ["root"] } }), "upsert");
    expect((await get(localAdmin, "user", "bo"))[0]!.resource).toMatchObject({ spec: { created_by: { user: { name: "local-admin" } }, traits: { logins: ["root"] } } });
    expect((await world.store.get("identity", "bo"))!.value).toContain("local:");
    await admin.put(localAdmin, user("cy", { github_identities: [{ connector_id: "github", username: "cy" }] }), "create");
    expect(await world.store.get("identity", "cy")).toBeUndefined();
  });

  it("is the identity on what get printed, for every kind", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, role("dev", { allow: { logins: ["{{internal.logins}}"], kubernetes_groups: ["edit"], node_labels: { env: "prod" } } }), "create");
    await admin.put(localAdmin, user("bo", { traits: { logins: ["root"] } }), "create");
    await admin.put(localAdmin, connector(), "create");
    for (const kind of ["role", "user", "github", "cluster_auth_preference"] as const) {
      const items = await get(localAdmin, kind);
      const text = formatResources(items.map(({ resource }) => resource), "yaml", { withSecrets: false });
      for (const { resource } of parseResources(text, "get.yaml")) {
        expect([kind, await admin.put(localAdmin, resource, "upsert")]).toEqual([kind, expect.objectContaining({ outcome: "unchanged" }) as unknown]);
      }
    }
    expect((await get(localAdmin, "github", "github", true))[0]!.resource).toMatchObject({ spec: { client_secret: "hush-hush" } });
  });
});

describe("a connector's secret", () => {
  it("is needed at first, kept from then on, and shown only where asked for", async () => {
    const { admin } = world.auth;
    await expect(admin.put(localAdmin, redact(connector()), "create")).rejects.toMatchObject({ code: "bad_parameter" });
    await admin.put(localAdmin, connector(), "create");
    await admin.put(localAdmin, redact(connector({ display: "Other" })), "upsert");
    expect((await get(localAdmin, "github", "github", true))[0]!.resource).toMatchObject({ spec: { client_secret: "hush-hush", display: "Other" } });
    expect(JSON.stringify(await get(localAdmin, "connectors"))).not.toContain("hush-hush");
    await expect(get(localAdmin, "connectors", "nobody")).rejects.toMatchObject({ code: "not_found", message: 'connector "nobody" does not exist' });
    expect((await world.store.get("github", "github"))!.value).not.toContain("hush-hush");
    expect(JSON.stringify(world.audit.events)).not.toContain("hush-hush");
  });

  it("does not follow a connector to another server or another application", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, connector(), "create");
    for (const spec of [{ endpoint_url: "https://evil.example" }, { client_id: "other" }]) {
      await expect(admin.put(localAdmin, redact(connector(spec)), "upsert")).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("client_secret") as string });
    }
  });

  it("goes over the network encrypted, or not at all", async () => {
    for (const field of ["endpoint_url", "api_endpoint_url", "redirect_url"]) {
      await expect(Promise.resolve().then(() => world.auth.admin.put(localAdmin, connector({ [field]: "http://github.example/x" }), "create"))).rejects.toMatchObject({ code: "bad_parameter" });
    }
  });

  it("a connector takes the names of its own people with it, and of no other whose name begins alike", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, connector(), "create");
    for (const [name, subject] of [["ana", "github:github:1001"], ["eva", "github:github:eu:1001"]] as const) {
      await world.store.transact([{ op: "put", kind: "identity", name, value: JSON.stringify({ subject, created: 0 }) }]);
    }
    await admin.remove(localAdmin, { kind: "github", name: "github" });
    expect((await world.store.list("identity")).map(({ name }) => name)).toEqual(["eva"]);
  });

  it("a connector with people cannot become one for another GitHub, where their ids are others'", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, connector(), "create");
    await world.store.transact([{ op: "put", kind: "identity", name: "ana", value: JSON.stringify({ subject: "github:github:1001", created: 0 }) }]);
    await expect(admin.put(localAdmin, connector({ api_endpoint_url: "https://ghe.example/api/v3" }), "upsert")).rejects.toMatchObject({ code: "bad_parameter" });
    await admin.remove(localAdmin, { kind: "github", name: "github" });
    expect(await world.store.get("identity", "ana")).toBeUndefined();
    await admin.put(localAdmin, connector({ api_endpoint_url: "https://ghe.example/api/v3" }), "create");
  });
});

describe("tokens", () => {
  const secretName = "a-very-secret-token-name";
  const token = parseResource({ kind: "token", version: "v2", metadata: { name: secretName }, spec: { roles: ["Node"] } });

  it("show their names, which are their secrets, only where asked for", async () => {
    const change = await world.auth.admin.put(localAdmin, token, "create");
    expect(JSON.stringify([change, await get(localAdmin, "token"), world.audit.events])).not.toContain(secretName);
    expect((await get(localAdmin, "token", undefined, true))[0]!.resource.metadata.name).toBe(secretName);
    const [item] = await world.store.list("token");
    expect(item!.name + item!.value).not.toContain(secretName);
    await world.auth.admin.remove(localAdmin, { kind: "token", name: secretName });
    await expect(get(localAdmin, "token", secretName)).rejects.toMatchObject({ code: "not_found", message: expect.not.stringContaining(secretName) as string });
  });
});

describe("remove", () => {
  it("refuses a role that somebody has or would get, naming them", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, role("dev"), "create");
    await admin.put(localAdmin, user("bo", { roles: ["dev"] }), "create");
    await expect(admin.remove(localAdmin, { kind: "role", name: "dev" })).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("still in use by bo") as string });
    await admin.remove(localAdmin, { kind: "user", name: "bo" });
    await admin.put(localAdmin, connector({ teams_to_roles: [{ organization: "o", team: "t", roles: ["dev"] }] }), "create");
    await expect(admin.remove(localAdmin, { kind: "role", name: "dev" })).rejects.toMatchObject({ message: expect.stringContaining('connector "github"') as string });
    await expect(admin.remove(localAdmin, { kind: "role", name: "access" })).rejects.toMatchObject({ code: "bad_parameter" });
    await admin.remove(localAdmin, { kind: "github", name: "github" });
    expect(await admin.remove(localAdmin, { kind: "role", name: "dev" })).toMatchObject({ outcome: "deleted", streams: { checked: 3, ended: 1 } });
    expect(world.audit.last("role.delete")).toMatchObject({ name: "dev", user: "local-admin" });
  });

  it("of a role and its assignment at one moment lets one be done", async () => {
    const { admin } = world.auth;
    const other = (await world.another()).admin;
    const give: readonly [string, () => Promise<unknown>][] = [
      ["bo", () => other.put(localAdmin, user("bo", { roles: ["access", "dev"] }), "upsert")],
      ["eva", () => other.inviteUser(localAdmin, { name: "eva", roles: ["dev"], traits: {}, ttl: hour })],
      ["bot:deploy", () => other.put(localAdmin, parseResource({ kind: "bot", version: "v1", metadata: { name: "deploy" }, spec: { roles: ["dev"] } }), "upsert")],
    ];
    for (const [name, assign] of give) {
      await admin.put(localAdmin, role("dev"), "upsert");
      // Once it was looked who has the role.
      atNext("list", "github", assign);
      await expect(admin.remove(localAdmin, { kind: "role", name: "dev" })).rejects.toThrow(`still in use by ${name}`);
      await admin.remove(localAdmin, name === "bot:deploy" ? { kind: "bot", name: "deploy" } : { kind: "user", name });
    }
    for (const [name, assign] of give) {
      await admin.put(localAdmin, role("dev"), "upsert");
      atNext("transact", "dev", () => other.remove(localAdmin, { kind: "role", name: "dev" }));
      await expect(assign(), name).rejects.toMatchObject({ code: "not_found", message: 'role "dev" does not exist' });
    }
    expect((await world.store.list("role_use")).map(({ name }) => name)).toEqual(["access"]);
  });

  it("of a role that somebody logs in with lets them have no session with it", async () => {
    await person("bo", []);
    atNext("transact", "session", () => world.store.transact([{ op: "delete", kind: "role", name: "role-bo" }]));
    const login = (): Promise<unknown> => world.auth.logins.local({ user: "bo", password, otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin });
    await expect(login()).rejects.toMatchObject({ code: "compare_failed" });
    await expect(login()).rejects.toThrow('role "role-bo" does not exist');
  });

  it("refuses what is not there, the preference, and a kind without a name", async () => {
    const { admin } = world.auth;
    for (const kind of ["role", "user", "github", "token"] as const) await expect(admin.remove(localAdmin, { kind, name: "nosuch" })).rejects.toMatchObject({ code: "not_found" });
    await expect(admin.remove(localAdmin, { kind: "cluster_auth_preference", name: "cluster-auth-preference" })).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(admin.remove(localAdmin, { kind: "role" })).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it('removes what an older version let have a "/" in its name', async () => {
    const value = JSON.stringify({ kind: "user", version: "v2", metadata: { name: "corp/bo" }, spec: { roles: ["access"] } });
    await world.store.transact([{ op: "put", kind: "user", name: "corp/bo", value }]);
    expect(await get(localAdmin, "user")).toHaveLength(1);
    await world.auth.admin.remove(localAdmin, parseRef("users/corp/bo"));
    expect(await get(localAdmin, "user")).toHaveLength(0);
  });

  it("takes everything of a user along", async () => {
    await person("bo", []);
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "bo" });
    for (const kind of ["user", "identity", "password", "session", "invite", "login_attempts"]) expect([kind, await world.store.list(kind)]).toEqual([kind, []]);
  });
});

describe("a removal that cannot be audited", () => {
  it.each(["user", "bot"] as const)("of a %s ends the login too that was faster than it", async (kind) => {
    const name = "ci";
    await world.put(kind === "user" ? { kind, version: "v2", metadata: { name }, spec: { roles: ["access"] } } : { kind, version: "v1", metadata: { name }, spec: { roles: ["access"] } });
    const session = { user: kind === "user" ? name : `bot:${name}`, subject: "s", roles: [], traits: {}, method: "local", created: 0, address: "" };
    atNext("transact", name, () => world.store.transact([{ op: "put", kind: "session", name: "late", value: JSON.stringify(session) }]));
    world.audit.before = () => {
      throw new Error("full");
    };
    await expect(world.auth.admin.remove(localAdmin, { kind, name })).rejects.toMatchObject({ code: "unavailable" });
    expect(await world.store.list("session")).toEqual([]);
  });
});

describe("what a person may do", () => {
  it.each([
    ["list", () => (caller: Caller) => get(caller, "role")],
    ["get", () => (caller: Caller) => get(caller, "role", "access")],
    ["get what is not there", () => (caller: Caller) => get(caller, "role", "nosuch")],
    ["create", () => (caller: Caller) => world.auth.admin.put(caller, role("dev"), "create")],
    ["overwrite", () => (caller: Caller) => world.auth.admin.put(caller, role("access"), "upsert")],
    ["update", () => (caller: Caller) => world.auth.admin.put(caller, role("access"), { revision: 1 })],
    ["remove", () => (caller: Caller) => world.auth.admin.remove(caller, { kind: "role", name: "access" })],
    ["invite", () => (caller: Caller) => world.auth.admin.inviteUser(caller, { name: "cy", roles: ["access"], traits: {}, ttl: hour })],
    ["reset", () => (caller: Caller) => world.auth.admin.resetUser(caller, "bo", hour)],
  ])("%s: nothing without a rule for it, and the refusal is audited under the id that the person sees", async (_, action) => {
    const nobody = await person("bo", []);
    const error = await action()(nobody).then(
      () => undefined,
      (thrown: unknown) => thrown as GatehouseError,
    );
    expect(error).toMatchObject({ code: "access_denied" });
    expect(world.audit.last("admin.denied")).toMatchObject({ user: "bo", id: error!.id, error: error!.message });
  });

  it("overwriting takes create and update, listing takes list and read", async () => {
    const maker = await person("maker", [{ resources: ["role"], verbs: ["create"] }]);
    await world.auth.admin.put(maker, role("dev"), "create");
    expect(world.audit.last("role.create")).toMatchObject({ user: "maker", name: "dev" });
    await expect(world.auth.admin.put(maker, role("dev"), "upsert")).rejects.toMatchObject({ code: "access_denied" });
    const editor = await person("editor", [{ resources: ["role"], verbs: ["update", "list"] }]);
    await expect(world.auth.admin.put(editor, role("dev"), "upsert")).rejects.toMatchObject({ code: "access_denied" });
    await expect(get(editor, "role")).rejects.toMatchObject({ code: "access_denied" });
  });

  it("a condition has to hold for what is overwritten as well as for what overwrites it", async () => {
    const own = await person("own", [{ resources: ["role"], verbs: ["list", "create", "read", "update", "delete"], where: 'equals(resource.metadata.labels["team"], "web")' }]);
    const labelled = (name: string, team: string): Resource => parseResource({ kind: "role", version: "v3", metadata: { name, labels: { team } }, spec: { allow: {} } });
    await world.auth.admin.put(localAdmin, labelled("ops", "ops"), "create");
    await expect(world.auth.admin.put(own, labelled("ops", "web"), "upsert")).rejects.toMatchObject({ code: "access_denied" });
    await expect(world.auth.admin.put(own, labelled("mine", "ops"), "create")).rejects.toMatchObject({ code: "access_denied" });
    await expect(world.auth.admin.remove(own, { kind: "role", name: "ops" })).rejects.toMatchObject({ code: "access_denied" });
    await world.auth.admin.put(own, labelled("mine", "web"), "create");
    expect((await get(own, "role", "mine"))).toHaveLength(1);
  });

  it.each([
    ["removing", (admin: Admin, caller: Caller) => admin.remove(caller, { kind: "user", name: "bo" }), "access_denied"],
    ["resetting", (admin: Admin, caller: Caller) => admin.resetUser(caller, "bo", hour), "compare_failed"],
  ] as const)("a condition has to hold for what is there at the moment of %s", async (_, action, code) => {
    const own = await person("own", [{ resources: ["user"], verbs: ["update", "delete"], where: 'equals(resource.metadata.labels["team"], "web")' }]);
    const labelled = (team: string): Resource => parseResource({ kind: "user", version: "v2", metadata: { name: "bo", labels: { team } }, spec: { roles: ["access"] } });
    await world.auth.admin.put(localAdmin, labelled("web"), "create");
    const { store } = world;
    let moved = false;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!moved && operations.some(({ op }) => op === "delete")) {
            moved = true;
            await world.auth.admin.put(localAdmin, labelled("ops"), "upsert");
          }
          return store.transact(operations);
        },
      },
    });
    await expect(action(slow.admin, own)).rejects.toMatchObject({ code });
    expect((await get(localAdmin, "user", "bo"))[0]!.resource).toMatchObject({ metadata: { labels: { team: "ops" } } });
  });

  it("removes what was changed meanwhile where the caller may remove that too, and once", async () => {
    const { admin } = world.auth;
    await admin.put(localAdmin, role("dev"), "create");
    const { store } = world;
    let moved = false;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!moved && operations.some(({ op }) => op === "delete")) {
            moved = true;
            await admin.put(localAdmin, role("dev", { allow: { logins: ["root"] } }), "upsert");
          }
          return store.transact(operations);
        },
      },
    });
    expect((await slow.admin.remove(localAdmin, { kind: "role", name: "dev" })).outcome).toBe("deleted");
    await admin.put(localAdmin, role("dev"), "create");
    const both = await Promise.allSettled([1, 2].map(() => admin.remove(localAdmin, { kind: "role", name: "dev" })));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(world.audit.events.filter(({ event }) => event === "role.delete")).toHaveLength(2);
  });

  it("connectors may be read without secrets by one rule, and with them by another", async () => {
    await world.auth.admin.put(localAdmin, connector(), "create");
    const reader = await person("reader", [{ resources: ["auth_connector"], verbs: ["list", "readnosecrets"] }]);
    expect((await get(reader, "connectors"))[0]!.resource).not.toMatchObject({ spec: { client_secret: expect.anything() as unknown } });
    await expect(get(reader, "github", "github", true)).rejects.toMatchObject({ code: "access_denied" });
    const all = await person("all", [{ resources: ["github"], verbs: ["list", "read"] }]);
    expect((await get(all, "github", "github", true))[0]!.resource).toMatchObject({ spec: { client_secret: "hush-hush" } });
  });

  it("sessions are one's own, and a refusal is audited", async () => {
    const own = await person("watcher", []);
    const session = (user: string) => ({ sid: "s1", proto: "kube", kind: "exec", user, participants: [user], cluster: "c", namespace: "n", pod: "p", container: "c", login: "", node: "" });
    expect(world.auth.admin.explainSession(own, "read", session("watcher")).allowed).toBe(true);
    await world.auth.admin.authorizeSession(own, "read", session("watcher"));
    await expect(world.auth.admin.authorizeSession(own, "read", session("bo"))).rejects.toMatchObject({ code: "access_denied", id: expect.any(String) as string });
    await world.auth.admin.authorizeSession(localAdmin, "read", session("bo"));
    expect(world.audit.last("admin.denied")).toMatchObject({ event: "admin.denied", user: "watcher", kind: "session", verb: "read", name: "s1" });
  });

  it("deny wins, and explains itself", async () => {
    const denied = await person("denied", [{ resources: ["*"], verbs: ["*"] }], [{ resources: ["user"], verbs: ["delete"] }]);
    expect(world.auth.admin.explainRule(denied, "role", "delete").allowed).toBe(true);
    expect(world.auth.admin.explainRule(denied, "user", "delete")).toMatchObject({ allowed: false, reasons: [{ role: "role-denied", path: "spec.deny.rules[0]" }] });
    await expect(world.auth.admin.remove(denied, { kind: "user", name: "denied" })).rejects.toMatchObject({ code: "access_denied" });
    expect(world.auth.admin.explainRule(localAdmin, "user", "delete").allowed).toBe(true);
  });
});
