import { describe, expect, it, vi } from "vitest";
import { fileEvent, sshPort, subsystem } from "../../audit/index.ts";
import type { AuditEventInput } from "../../audit/index.ts";
import { GatehouseError, manualClock, nullLogger } from "../../base/index.ts";
import type { KubeSession, SshSession } from "../../formats/index.ts";
import { Recorder, Sessions } from "./index.ts";
import type { CommandSession, CommandStart, Participant, SessionTerminal } from "./index.ts";
import { testRecordings } from "./test-recordings.ts";
import type { TestRecording } from "./test-recordings.ts";

const node = { id: "n-1", name: "web-1", address: "10.0.0.9:22", labels: { env: "prod" } };
const ssh: SshSession = {
  ...{ sid: "6f0e2a1c-0000-4000-8000-000000000001", proto: "ssh", kind: "shell", user: "ana", roles: ["dev"], command: [], tty: true, stdin: true },
  ...{ address: "10.0.0.1:5", server_id: "gw", started: 1000, login: "root", node },
};
const kube: KubeSession = {
  ...{ sid: "6f0e2a1c-0000-4000-8000-000000000002", kind: "exec", user: "ana", roles: [], groups: ["dev"], cluster: "prod", namespace: "web", pod: "a", container: "c", command: ["sh"], tty: false, stdin: true },
  ...{ address: "10.0.0.1:6", server_id: "gw", started: 1000 },
};
const anyOptions = { recordStdin: false, maxSessions: 0, recordSession: undefined };
const stream = { lastActive: 1000, carried: 7, changed: (): void => undefined };
const bo: Participant = { user: "bo", remoteAddress: "10.0.0.2:1", localAddress: "10.0.0.3:2", mode: "peer" };

function world(recording: "strict" | "best_effort" | "off" = "strict") {
  const events: AuditEventInput[] = [];
  const log = { works: true };
  const audit = {
    emit: (event: AuditEventInput) => {
      if (!log.works) return Promise.reject(new GatehouseError("unavailable", "the disk is full"));
      events.push(event);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const clock = manualClock(1000);
  const recordings = testRecordings();
  const recorder = new Recorder(audit, nullLogger);
  const sessions = new Sessions({ recorder, clock, logger: nullLogger, serverId: "gw", recordings, recording });
  const named = (name: string): AuditEventInput[] => events.filter(({ event }) => event === name);
  const open = async (start: Partial<CommandStart> & Pick<CommandStart, "session">): Promise<{ readonly session: CommandSession; readonly recording: TestRecording }> => {
    const session = await sessions.open({ options: anyOptions, localAddress: "10.0.0.3:3023", kill: () => undefined, ...start });
    for (const event of session.started("ssh")) recorder.write(event);
    session.run(stream);
    return { session, recording: recordings.opened.at(-1)! };
  };
  return { sessions, recorder, clock, events, named, open, log };
}

function terminal(): SessionTerminal & { readonly typed: string[]; readonly notices: string[] } {
  const typed: string[] = [];
  const notices: string[] = [];
  return { typed, notices, input: (bytes) => Promise.resolve(void typed.push(Buffer.from(bytes).toString())), notice: (line) => void notices.push(line) };
}

describe("a session on a host", () => {
  it("has v3's fields in its events, the host's among them, and a recording with its terminal", async () => {
    const { sessions, open, named, clock } = world();
    const { session, recording } = await open({ session: ssh, size: { columns: 100, rows: 40 }, term: "screen" });
    const host = { sid: ssh.sid, proto: "ssh", user: "ana", login: "root", namespace: "default", server_id: "n-1", server_hostname: "web-1", server_addr: "10.0.0.9:22", server_labels: { env: "prod" }, forwarded_by: "gw", "addr.remote": "10.0.0.1:5" };
    expect(named("session.start")).toMatchObject([{ ...host, code: "T2000I", action: "shell", size: "100:40", recorded: true, protocol: "ssh", "addr.local": "10.0.0.3:3023" }]);
    expect(recording.header).toMatchObject({ width: 100, height: 40, env: { TERM: "screen" }, title: "shell root@web-1", gatehouse: ssh });
    expect(sessions.list()).toMatchObject([{ sid: ssh.sid, proto: "ssh", kind: "shell", login: "root", node: "web-1", nodeId: "n-1", pod: "", bytes: 7, recording: 100, participants: ["ana"] }]);
    session.sink.stdout?.(Buffer.from("hi"));
    session.sink.resized?.(80, 24);
    clock.advance(2000);
    session.end({ exitCode: 3 });
    await vi.waitFor(() => expect(recording.told.at(-1)).toBe("settled"));
    expect(recording.told).toEqual(["o:hi", "r:80x24", "x:the command ended with exit code 3", "settled"]);
    expect(named("resize")).toMatchObject([{ ...host, size: "80:24" }]);
    expect(named("session.end")).toMatchObject([{ ...host, exit_code: 3, duration_ms: 2000, bytes: 7, recording: { complete: true } }]);
    expect(named("exec")).toEqual([]);
    expect(sessions.list()).toEqual([]);
  });

  it("has the last size in its events, however soon after the one before and before its end that came", async () => {
    const { open, events } = world();
    const { session } = await open({ session: ssh });
    for (const [columns, rows] of [[80, 24], [100, 30], [120, 40]] as const) session.sink.resized?.(columns, rows);
    session.end({ exitCode: 0 });
    await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ event: "session.end" }));
    expect(events.slice(-3)).toMatchObject([{ event: "resize", size: "80:24" }, { event: "resize", size: "120:40" }, { event: "session.end" }]);
  });

  it.each([
    [{ exitCode: 0 }, { code: "T3002I", exitCode: "0", command: "uptime" }],
    [{ exitCode: 42 }, { code: "T3002E", exitCode: "42", exitError: "the command ended with exit code 42" }],
    [{ signal: "KILL" }, { code: "T3002E", exitError: "the command was ended by signal KILL" }],
    [{ error: "the host refused it" }, { code: "T3002E", exitError: "the host refused it" }],
    [{}, { code: "T3002E", exitError: "the connection was closed" }],
  ])("that runs a command tells what became of it: %j", async (how, told) => {
    const { open, named } = world();
    const { session } = await open({ session: { ...ssh, kind: "exec", command: ["uptime"], tty: false } });
    session.end(how);
    await vi.waitFor(() => expect(named("session.end")).toHaveLength(1));
    expect(named("exec")).toMatchObject([{ ...told, sid: ssh.sid, login: "root", server_id: "n-1" }]);
  });

  it("has events for files, subsystems and ports", () => {
    expect(fileEvent(ssh, { protocol: "scp", action: "upload", path: "/x", size: 3, sha256: "ab" })).toMatchObject({ event: "scp", code: "T3005I", path: "/x", len: 3, sha256: "ab", success: true, login: "root" });
    expect(fileEvent(ssh, { protocol: "scp", action: "download", path: "/x", error: "gone" })).toMatchObject({ code: "T3004E", success: false, exitError: "gone" });
    expect(fileEvent(ssh, { protocol: "sftp", action: "rename", path: "/x", target: "/y" })).toMatchObject({ event: "sftp", code: "G2006I", target: "/y" });
    expect(subsystem(ssh, "sftp")).toMatchObject({ event: "subsystem", code: "T3001I", name: "sftp" });
    expect(subsystem(ssh, "netconf", "refused")).toMatchObject({ code: "T3001E", exitError: "refused" });
    expect(sshPort({ user: "ana", login: "root", node, forwardedBy: "gw", remoteAddress: "1:2", sid: "s" }, "db:5432", "no")).toMatchObject({ event: "port", code: "T3003E", addr: "db:5432", success: false, server_hostname: "web-1", sid: "s" });
  });

  it("that its person did not get to see is taken back, and one that began is told to have ended", async () => {
    const { sessions, open, named } = world();
    const unbegun = await sessions.open({ session: ssh, options: anyOptions, localAddress: "", kill: () => undefined });
    unbegun.drop();
    const { session, recording } = await open({ session: { ...ssh, sid: kube.sid } });
    session.drop();
    await vi.waitFor(() => expect(recording.told).toContain("settled"));
    expect(named("session.end")).toMatchObject([{ sid: kube.sid, reason: "it was over before a byte passed" }]);
  });
});

describe("sessions of both protocols", () => {
  it("count together for max_sessions", async () => {
    const { sessions, open } = world();
    const options = { ...anyOptions, maxSessions: 2 };
    const first = await open({ session: ssh, options });
    await open({ session: kube, options });
    const third = { session: { ...ssh, sid: "6f0e2a1c-0000-4000-8000-000000000003" }, options };
    await expect(open(third)).rejects.toMatchObject({ code: 403, message: "ana has 2 sessions open already, as many as their roles allow (max_sessions)" });
    await open({ session: { ...third.session, sid: "6f0e2a1c-0000-4000-8000-000000000004", user: "bo" }, options });
    first.session.end({});
    await open(third);
    expect(sessions.list()).toHaveLength(3);
  });

  it("are ended by whoever began them, with the administrator's message", async () => {
    const { sessions, open } = world();
    const said: string[] = [];
    await open({ session: ssh, kill: (message) => void said.push(message) });
    sessions.kill(ssh.sid, "ended by bo");
    expect(said).toEqual(["ended by bo"]);
    expect(() => sessions.kill("none", "x")).toThrow(expect.objectContaining({ code: "not_found" }) as Error);
  });

  it("are all ended, and their ends written, before a gateway closes", async () => {
    const { sessions, open, named } = world();
    await open({ session: ssh });
    await open({ session: kube });
    await sessions.close("the gateway is shutting down");
    expect(named("session.end").map(({ reason }) => reason)).toEqual(["the gateway is shutting down", "the gateway is shutting down"]);
  });
});

describe("who joins a session", () => {
  it("is in the log, in the recording and on the screen of its person; so is who leaves", async () => {
    const { sessions, open, named } = world();
    const screen = terminal();
    const { session, recording } = await open({ session: ssh, terminal: screen });
    const stop = new AbortController();
    const joined = await sessions.join(ssh.sid, bo, stop.signal);
    const cy = await sessions.join(ssh.sid, { ...bo, user: "cy\x1b[2J", mode: "observer" }, new AbortController().signal);
    expect(named("session.join")).toMatchObject([
      { code: "T2001I", sid: ssh.sid, user: "bo", session_user: "ana", login: "root", mode: "peer", server_id: "n-1", "addr.remote": "10.0.0.2:1", "addr.local": "10.0.0.3:2" },
      { mode: "observer" },
    ]);
    expect(sessions.list()[0]?.participants).toEqual(["ana", "bo", "cy\x1b[2J"]);
    expect(screen.notices[0]).toBe("bo joined and can type");
    expect(screen.notices[1]).not.toContain("\x1b");
    stop.abort();
    joined.leave();
    expect(screen.notices[2]).toBe("bo left");
    session.end({ exitCode: 0 });
    await vi.waitFor(() => expect(recording.told).toContain("settled"));
    cy.leave();
    expect(recording.told.filter((one) => one.includes("bo"))).toEqual(["m:join bo joined and can type", "m:leave bo left"]);
    expect(named("session.leave").map(({ user }) => user)).toEqual(["bo", "cy\x1b[2J"]);
    expect(named("session.end")).toMatchObject([{ participants: ["ana", "bo", "cy\x1b[2J"] }]);
  });

  it("types as its person would; an observer, and one who has left, do not", async () => {
    const { sessions, open } = world();
    const screen = terminal();
    await open({ session: ssh, terminal: screen });
    const peer = await sessions.join(ssh.sid, bo, new AbortController().signal);
    await peer.input(Buffer.from("ls\r"));
    expect(screen.typed).toEqual(["ls\r"]);
    const observer = await sessions.join(ssh.sid, { ...bo, mode: "observer" }, new AbortController().signal);
    await expect(observer.input(Buffer.from("x"))).rejects.toMatchObject({ code: "access_denied" });
    peer.leave();
    await expect(peer.input(Buffer.from("x"))).rejects.toMatchObject({ code: "not_found" });
    expect(screen.typed).toEqual(["ls\r"]);
  });

  it.each<[string, Partial<CommandStart>, "strict" | "off", string]>([
    ["a session without a terminal has no keyboard", { session: { ...ssh, tty: false }, terminal: terminal() }, "strict", "no terminal whose keyboard could be shared"],
    ["nor has one in a cluster", { session: kube }, "strict", "no terminal whose keyboard could be shared"],
    ["what is not recorded cannot be seen", { session: ssh, terminal: terminal() }, "off", "is not recorded"],
  ])("%s", async (_, start, recording, message) => {
    const { sessions, open, named } = world(recording);
    const session = start.session ?? ssh;
    await open({ ...start, session });
    await expect(sessions.join(session.sid, bo, new AbortController().signal)).rejects.toThrow(message);
    expect(named("session.join")).toEqual([]);
  });

  it("is refused where that cannot be audited", async () => {
    const { sessions, open, log, recorder } = world();
    const screen = terminal();
    await open({ session: ssh, terminal: screen });
    log.works = false;
    await expect(sessions.join(ssh.sid, bo, new AbortController().signal)).rejects.toMatchObject({ code: "unavailable" });
    expect([screen.notices, recorder.healthy]).toEqual([[], false]);
  });

  it("and goes before that is written has left", async () => {
    const { sessions, open, named } = world();
    await open({ session: ssh });
    const stop = new AbortController();
    const joining = sessions.join(ssh.sid, { ...bo, mode: "observer" }, stop.signal);
    stop.abort();
    await joining;
    await vi.waitFor(() => expect(named("session.leave")).toHaveLength(1));
  });
});

describe("forwarded ports", () => {
  it("are told one by one, then by their sums, and many addresses as one", async () => {
    const { sessions, events, clock } = world();
    const ports = sessions.openPorts({
      ...{ sid: "p", user: "ana", address: "10.0.0.1:5", kill: () => undefined },
      place: { proto: "ssh", cluster: "", namespace: "", pod: "", container: "", login: "root", node: "web-1", nodeId: "n-1" },
      event: (addr, error, counts) => ({ event: "port", code: "T3003I", addr, error, ...counts }),
    });
    ports.run(stream);
    expect(sessions.list()).toMatchObject([{ kind: "portforward", login: "root", node: "web-1", recording: undefined }]);
    await expect(sessions.join("p", bo, new AbortController().signal)).rejects.toMatchObject({ code: "bad_parameter" });
    const pass = (addr: string, error = ""): void => {
      const connection = { addr, sent: 1, received: 2, error };
      ports.opened(connection);
      ports.closed(connection);
      // Told once.
      ports.closed(connection);
    };
    for (let count = 0; count < 1000; count++) pass("db:1");
    expect(events).toHaveLength(1000);
    for (let port = 0; port < 70; port++) pass(`db:${String(port)}`, "refused");
    expect(events).toHaveLength(1000);
    clock.advance(60_000);
    ports.tick(clock.now());
    const sums = events.slice(1000);
    expect(sums).toHaveLength(65);
    expect(sums.at(-1)).toMatchObject({ addr: "", connections: 6, failed: 6, bytes_sent: 6, bytes_received: 12 });
    const open = { addr: "db:1", sent: 5, received: 0, error: "" };
    ports.opened(open);
    ports.end();
    ports.end();
    expect(events.slice(1065)).toMatchObject([{ addr: "db:1", connections: 1, bytes_sent: 5 }]);
    expect(sessions.list()).toEqual([]);
  });
});
