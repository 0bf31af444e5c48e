import { describe, expect, it } from "vitest";
import { newTerminal, origin } from "@gatehouse/core/auth/testing";
import { atGithub, containing, github, world, connector, begin, browse, logIn, failure } from "./github-place.ts";

atGithub();

describe("a connector that changes while somebody logs in", () => {
  const localAdmin = { type: "local-admin" } as const;

  /** A login at a gateway whose next write of this kind is preceded by what an administrator does. */
  async function logInAround(kind: string, change: () => Promise<unknown>) {
    const { store } = world;
    let done = false;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!done && operations.some((operation) => operation.kind === kind)) {
            done = true;
            await change();
          }
          return store.transact(operations);
        },
      },
    });
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await slow.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect(done).toBe(true);
    return terminal.read(location);
  }
  const changed = { code: "compare_failed", message: 'connector "github" was changed by an administrator during this login', hint: containing("log in again") };

  it.each(["session", "github_pin"])("is removed before the %s is written: the login leaves nothing", async (kind) => {
    const { error, response } = await logInAround(kind, () => world.auth.admin.remove(localAdmin, { kind: "github", name: "github" }));
    expect([response, error]).toEqual([undefined, expect.objectContaining(changed)]);
    for (const left of ["session", "user", "identity", "subject", "github_pin"]) expect([left, await world.store.list(left)]).toEqual([left, []]);
    expect(world.audit.last("user.login")).toMatchObject({ success: false, error: changed.message });
  });

  it("maps otherwise: the login does not get what it got by the old mapping", async () => {
    const { error } = await logInAround("session", () => world.put(connector({ teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["guest"] }] })));
    expect(error).toMatchObject(changed);
    expect(await world.store.list("session")).toHaveLength(0);
    expect(world.certificate((await logIn()).response!).logins).toEqual(["guest"]);
  });

  it("is removed and made again: a login before the removal is worth nothing, one that came between included", async () => {
    const first = world.certificate((await logIn()).response!);
    const { store } = world;
    let late: Awaited<ReturnType<typeof logIn>> | undefined;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!late && operations.some(({ op, kind }) => op === "delete" && ["github", "identity"].includes(kind))) late = await logIn();
          return store.transact(operations);
        },
      },
    });
    await slow.admin.remove(localAdmin, { kind: "github", name: "github" });
    expect(late!.response!.username).toBe("ana");
    expect(await world.store.list("session")).toEqual([]);
    await world.put(connector());
    const again = world.certificate((await logIn()).response!);
    expect(world.auth.gatekeeper.identify(again).username).toBe("ana");
    for (const certificate of [first, world.certificate(late!.response!)]) expect(() => world.auth.gatekeeper.identify(certificate)).toThrow("your login session has ended");
  });

  it("a removal that was cut short can be repeated", async () => {
    await logIn();
    const { store } = world;
    const dying = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (operations.some(({ kind }) => kind === "identity")) throw new Error("power cut");
          return store.transact(operations);
        },
      },
    });
    await expect(dying.admin.remove(localAdmin, { kind: "github", name: "github" })).rejects.toThrow("power cut");
    expect(await world.store.list("identity")).toHaveLength(1);
    await world.auth.admin.remove(localAdmin, { kind: "github", name: "github" });
    for (const left of ["github", "session", "identity", "subject", "github_pin"]) expect([left, await world.store.list(left)]).toEqual([left, []]);
    await expect(world.auth.admin.remove(localAdmin, { kind: "github", name: "github" })).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("what GitHub does wrong", () => {
  it.each([
    ["token", "500", "GitHub answered 500 to the token request"],
    ["user", "500", "GitHub answered 500 to the user request"],
    ["teams", "500", "GitHub answered 500 to the teams request"],
    ["token", "garbage", "GitHub answered the token request with something that is not JSON"],
    ["user", "garbage", "GitHub answered the user request with something that is not JSON"],
    ["token", "hang", "GitHub did not answer the token request within 0.3 s"],
    ["teams", "hang", "GitHub did not answer the teams request within 0.3 s"],
    ["token", "redirect", "GitHub answered the token request with a redirect"],
    ["user", "huge", "the answer of GitHub to the user request is larger"],
  ] as const)("the %s request: %s", async (route, fault, message) => {
    github.setFault(route, fault);
    const error = await failure();
    expect(error.message).toContain(message);
    expect(error.code).not.toBe("access_denied");
    expect(github.requests.some(({ path }) => path === "/elsewhere")).toBe(false);
  });

  it("is not there at all", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    await github.close();
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect(terminal.read(location).error!.message).toBe(`GitHub cannot be reached for the token request (${new URL(github.url).host}): ECONNREFUSED`);
  });

  it("the person says no", async () => {
    github.setApproval("deny");
    expect(await failure()).toMatchObject({ code: "access_denied", message: "GitHub refused the login: The user has denied your application access." });
  });

  it("a wrong client secret is the administrator's to mend", async () => {
    await world.put(connector({ client_secret: "0".repeat(40) }));
    const error = await failure();
    expect(error.message).toContain("incorrect_client_credentials");
    expect(error.hint).toContain("client_secret");
  });

  it("text from GitHub cannot act on a terminal", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: { state: query["state"], error: "x\u001b]0;owned\u0007", error_description: `\u202e${"y".repeat(5000)}` }, cookies, origin });
    const { message } = terminal.read(location).error!;
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(message.length).toBeLessThan(1000);
  });

  it("a login that cannot be audited gives nothing", async () => {
    world.audit.before = (event) => {
      if (event["success"] === true) throw new Error("disk full at /var/lib/secret");
    };
    const { error, response } = await logIn();
    // What nobody foresaw is for the gateway's log, not for the terminal.
    expect([response, error!.code, error!.message, error!.hint]).toEqual([undefined, "internal", "the gateway failed in the middle of this login", expect.stringMatching(/log as [0-9a-f]{8}$/)]);
    expect(await world.store.list("session")).toHaveLength(0);
  });
});
