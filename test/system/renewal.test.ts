import { join } from "node:path";
import { GatehouseError, manualClock, systemClock } from "@gatehouse/core/base";
import { clientHome, connectAdmin, openLogins, parseProxyAddress, profileName, readIdentityFile, renewLogin, renewalProspect, type LoginRecord } from "@gatehouse/core/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLocalUser, newMachine, type Machine } from "../support/machine.ts";
import { createWorld, type World } from "../support/world.ts";

const password = "correct horse battery";
const hour = 3_600_000;

/** Renewing a login at a real gateway, by what the built `tsh login` has stored. */
describe("renewing a login", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({
      connector: {
        teams_to_logins: [],
        teams_to_roles: [
          { organization: "octocats", team: "developers", roles: ["person"] },
          { organization: "octocats", team: "viewers", roles: ["renewed"] },
          { organization: "octocats", team: "admins", roles: ["admin"] },
        ],
      },
    });
    await putRole("person");
    await putRole("renewed", "certificate_renewal: any");
    await putRole("never", "certificate_renewal: off");
    await createLocalUser(world, "lea", password, "person");
  });
  afterAll(() => world.close());

  async function putRole(name: string, options = ""): Promise<void> {
    const input = `kind: role\nversion: v3\nmetadata: {name: ${name}}\nspec:\n  options: {max_session_ttl: 9h, ${options}}\n  allow: {logins: [root]}\n`;
    expect(await world.tctl(["create", "-f", "-"], { input })).toMatchObject({ code: 0 });
  }

  const stored = ({ env }: Machine): ReturnType<typeof openLogins> => openLogins(clientHome(env), "file", env);
  const profile = (): string => profileName(parseProxyAddress(world.proxy));

  async function record(machine: Machine): Promise<LoginRecord> {
    const found = await stored(machine).read(profile());
    if (!found) throw new Error("no login is stored");
    return found;
  }

  /** A local user's login on a machine of its own. */
  async function local(user: string, ttl = "5m"): Promise<{ readonly machine: Machine; readonly login: LoginRecord }> {
    const machine = await newMachine(world, user);
    const outcome = await machine.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=local", `--user=${user}`, "--keystore=file", `--ttl=${ttl}`, "--password-stdin"], { input: `${password}\n` });
    expect(outcome).toMatchObject({ code: 0 });
    return { machine, login: await record(machine) };
  }

  const renew = (login: LoginRecord, clock = systemClock): Promise<LoginRecord> => renewLogin(login, { clock });
  async function failure(work: Promise<unknown>): Promise<GatehouseError> {
    const thrown = await work.then(() => undefined, (error: unknown) => error);
    if (thrown instanceof GatehouseError) return thrown;
    throw thrown instanceof Error ? thrown : new Error("it was renewed");
  }

  /** Who the gateway says that a login's certificate is, or the code of its refusal. */
  async function letsIn(login: LoginRecord): Promise<string> {
    const asked = connectAdmin(login).whoami();
    return asked.then(({ username }) => username, async () => (await failure(asked)).code);
  }

  async function refusal(login: LoginRecord): Promise<{ code: string; message: string; id: string | undefined; prospect: string }> {
    const error = await failure(renew(login));
    return { code: error.code, message: error.message, id: error.id, prospect: renewalProspect(error) };
  }

  const lastEvent = async (name: string, user: string) => (await world.events()).findLast((event) => event["event"] === name && event["user"] === user);

  it("of a local user goes on for as long as it was made for, over and over; what was before stays good", async () => {
    const { machine, login } = await local("lea");
    expect(login.renewableUntil).toBeGreaterThan(login.issued + 8 * hour);
    const second = await renew(login);
    const third = await renew(second);
    expect(third).toMatchObject({ username: "lea", cluster: "example", privateKey: login.privateKey, hostKeys: login.hostKeys, renewableUntil: login.renewableUntil });
    expect([second.expires >= login.expires, third.expires >= second.expires]).toEqual([true, true]);
    expect(third.expires - Date.now()).toBeLessThanOrEqual(300_000);
    expect(await Promise.all([login, second, third].map(letsIn))).toEqual(["lea", "lea", "lea"]);
    expect(await lastEvent("cert.create", "lea")).toMatchObject({ renewed: true, generation: 3, roles: ["person"], expires: new Date(third.expires).toISOString() });
    // What is stored is a login as any other: commands work with it, and a logout ends all of it.
    await stored(machine).write(profile(), third);
    expect(await machine.tsh(["status"])).toMatchObject({ code: 0, stdout: expect.stringContaining("lea") as string });
    expect((await machine.tsh(["logout"])).code).toBe(0);
    expect(await Promise.all([login, third].map(letsIn))).toEqual(["unauthenticated", "unauthenticated"]);
    expect(await refusal(third)).toMatchObject({ code: "unauthenticated", prospect: "over" });
    expect(await lastEvent("cert.renew", "lea")).toMatchObject({ success: false, error: "your login session has ended" });
  });

  it("never reaches beyond max_session_ttl, and says when that is reached", async () => {
    const { login } = await local("lea", "9h");
    expect(login).not.toHaveProperty("renewableUntil");
    const { id, ...refused } = await refusal(login);
    expect(refused).toEqual({ code: "access_denied", message: expect.stringMatching(/^this login lasts until \S+Z at most, and no renewal moves that$/) as string, prospect: "refused" });
    expect(await lastEvent("cert.renew", "lea")).toMatchObject({ id, generation: 1 });
    expect(await letsIn(login)).toBe("lea");
  });

  it("through a connector needs a role that says any; its user lasts as long as it does", async () => {
    const [ana, bo] = [await newMachine(world, "ana"), await newMachine(world, "bo")];
    expect((await ana.logIn(["--ttl=5m"])).code).toBe(0);
    expect(await record(ana)).not.toHaveProperty("renewableUntil");
    expect(await refusal(await record(ana))).toMatchObject({ code: "access_denied", message: expect.stringContaining("certificate_renewal: any") as string });
    expect((await bo.logIn(["--ttl=5m"])).code).toBe(0);
    const renewed = await renew(await record(bo));
    expect(await letsIn(renewed)).toBe("bo");
    const user = JSON.parse((await world.tctl(["get", "users/bo", "--format=json"])).stdout) as { metadata: { expires: string } };
    expect(Date.parse(user.metadata.expires)).toBeGreaterThanOrEqual(renewed.expires);
  });

  it("is off where one role says so, also for logins from before", async () => {
    await createLocalUser(world, "max", password, "renewed,never");
    const { login } = await local("max");
    expect(login).not.toHaveProperty("renewableUntil");
    expect(await refusal(login)).toMatchObject({ code: "access_denied", message: "a role of max lets no login be renewed (certificate_renewal: off)", prospect: "refused" });
    await putRole("never", "certificate_renewal: local");
    const renewed = await renew(login);
    await putRole("never", "certificate_renewal: off");
    expect(await refusal(renewed)).toMatchObject({ code: "access_denied" });
    expect(await letsIn(renewed)).toBe("max");
  });

  it("is refused to whoever is locked, and works again afterwards", async () => {
    const { login } = await local("lea");
    expect((await world.tctl(["lock", "--user=lea", "--message=laptop stolen"])).code).toBe(0);
    expect(await refusal(login)).toMatchObject({ code: "access_denied", message: expect.stringContaining("laptop stolen") as string });
    const event = await lastEvent("cert.renew", "lea");
    expect((await world.tctl(["locks", "rm", String(event?.["lock"])])).code).toBe(0);
    expect(await letsIn(await renew(login))).toBe("lea");
  });

  it("by an old generation ends the session: somebody has a copy", async () => {
    const { machine, login } = await local("lea");
    const third = await renew(await renew(login));
    expect(await refusal(login)).toMatchObject({ code: "unauthenticated", message: expect.stringContaining("from another copy") as string, prospect: "over" });
    expect(await Promise.all([login, third].map(letsIn))).toEqual(["unauthenticated", "unauthenticated"]);
    expect(await lastEvent("session.revoked", "lea")).toMatchObject({ code: "G1041W", generation: 1, newest: 3, success: false });
    // The next login is a session of its own.
    const again = await machine.tsh(["login", `--proxy=${world.proxy}`, "--auth=local", "--user=lea", "--keystore=file", "--ttl=1m", "--force", "--password-stdin"], { input: `${password}\n` });
    expect(again.code).toBe(0);
    expect(await letsIn(await renew(await record(machine)))).toBe("lea");
  });

  it("twice at once is one generation, and an answer that was lost can be asked for again", async () => {
    const { login } = await local("lea");
    const both = await Promise.all([renew(login), renew(login)]);
    const again = await renew(login);
    expect(new Set([...both, again].map(({ expires }) => expires)).size).toBe(1);
    expect(await Promise.all(both.map(letsIn))).toEqual(["lea", "lea"]);
    expect((await world.events()).filter((event) => event["event"] === "cert.create" && event["user"] === "lea").slice(-3)).toMatchObject([{ generation: 2 }, { generation: 2 }, { generation: 2 }]);
    expect(await letsIn(await renew(again))).toBe("lea");
  });

  it.each([-5 * hour, 5 * hour])("works where this machine's clock is off by %i ms", async (off) => {
    const { login } = await local("lea");
    const now = Date.now() + off;
    const renewed = await renew(login, manualClock(now));
    expect(renewed.issued).toBe(now);
    expect(Math.abs(renewed.expires - Date.now())).toBeLessThanOrEqual(300_000);
    expect(await letsIn(renewed)).toBe("lea");
  });

  it("is slowed down for a session that asks all the time, and for no other", async () => {
    const [{ login }, other] = [await local("lea"), await local("lea")];
    let newest = login;
    let refused: unknown;
    for (let asked = 0; refused === undefined && asked < 60; asked += 1) {
      await renew(newest).then((next) => (newest = next), (error: unknown) => (refused = error));
    }
    expect(refused).toMatchObject({ code: "limit_exceeded" });
    expect(renewalProspect(refused)).toBe("later");
    expect(await letsIn(newest)).toBe("lea");
    expect(await letsIn(await renew(other.login))).toBe("lea");
  });

  it("keeps a short login good in the local agent, in the person's own keystore, with no command about it", async () => {
    const machine = await newMachine(world, "lea", { TSH_AGENT: undefined, XDG_RUNTIME_DIR: undefined });
    const outcome = await machine.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=local", "--user=lea", "--keystore=file", "--ttl=1m", "--password-stdin"], { input: `${password}\n` });
    expect(outcome).toMatchObject({ code: 0 });
    const first = await record(machine);
    expect(await machine.tsh(["agent", "start"])).toMatchObject({ code: 0 });
    try {
      await expect.poll(async () => (await record(machine)).expires, { timeout: 120_000, interval: 500 }).toBeGreaterThan(first.expires);
      const next = await record(machine);
      expect(next.privateKey).toBe(first.privateKey);
      expect(await letsIn(next)).toBe("lea");
      expect(await lastEvent("cert.create", "lea")).toMatchObject({ renewed: true, generation: 2 });
      const logins = async () => (JSON.parse((await machine.tsh(["agent", "status", "--format=json"])).stdout) as { logins: unknown[] }).logins;
      await expect.poll(logins).toMatchObject([{ user: "lea", keystore: "file", renewal: "waiting" }]);
    } finally {
      expect(await machine.tsh(["agent", "stop"])).toMatchObject({ code: 0 });
    }
  });

  it("survives a restart of the gateway", async () => {
    const { login } = await local("lea");
    const second = await renew(login);
    await world.restart();
    expect(await letsIn(await renew(second))).toBe("lea");
  });

  it("is not for what an administrator signed", async () => {
    const machine = await newMachine(world, "cy");
    const file = join(machine.home, "identity");
    expect((await world.tctl(["auth", "sign", "--user=lea", `--out=${file}`])).code).toBe(0);
    const login = await readIdentityFile(file, { env: machine.env, proxy: world.proxy, now: Date.now() });
    expect(await letsIn(login)).toBe("lea");
    expect(await refusal(login)).toMatchObject({ code: "access_denied", message: "this login is not renewed: an administrator signed it, and signs it again", prospect: "refused" });
  });
});
