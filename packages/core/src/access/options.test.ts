import { expect, test } from "vitest";
import { buildRoleSet } from "./index.ts";
import { role } from "./test-roles.ts";

test("lifetimes: the wish, but no longer than the shortest role, nor than 30 h", () => {
  const hour = 3_600_000;
  const set = buildRoleSet([role("a", { options: { max_session_ttl: "10h" } }), role("b", { options: { max_session_ttl: "8h" } })], {});
  expect(set.sessionTtl(hour)).toBe(hour);
  for (const wish of [0, 9 * hour, Infinity, Number.NaN, -1]) expect(set.sessionTtl(wish)).toBe(8 * hour);
  expect(buildRoleSet([role("c", { options: { max_session_ttl: "90h" } })], {}).sessionTtl(90 * hour)).toBe(30 * hour);
  expect(buildRoleSet([], {}).sessionTtl(0)).toBe(30 * hour);
});

test("options over roles: any true, the shortest idle time, the most permissive format", () => {
  const set = buildRoleSet(
    [role("a", { options: { client_idle_timeout: "5m", port_forwarding: false } }), role("b", { options: { client_idle_timeout: "never", forward_agent: true, cert_format: "oldssh", disconnect_expired_cert: true } }), role("c", { options: { client_idle_timeout: "9m" } })],
    {},
  );
  expect(set.options()).toEqual({ forwardAgent: true, portForwarding: true, clientIdleTimeout: 300_000, disconnectExpiredCert: true, certFormat: "oldssh", recordStdin: false, headlessLogin: true, certificateRenewal: "local", maxSessions: 0, recordSession: undefined, sshRecording: undefined, forceCommands: [], sourceAddresses: undefined, x11Forwarding: false });
});

test("recording over roles: input where one says so, the fewest sessions, strict where one says so", () => {
  const of = (...options: Record<string, unknown>[]) => buildRoleSet(options.map((one, index) => role(String(index), { options: one })), {}).options();
  expect([of({}, {}), of({ headless_login: true }, { headless_login: false })].map(({ headlessLogin }) => headlessLogin)).toEqual([true, false]);
  expect([of(), of({ certificate_renewal: "local" }), of({}, { certificate_renewal: "any" }), of({ certificate_renewal: "any" }, { certificate_renewal: "off" }, {})].map(({ certificateRenewal }) => certificateRenewal)).toEqual(["local", "local", "any", "off"]);
  expect(of({ record_stdin: true, max_sessions: 5 }, { max_sessions: 0 }, { max_sessions: 3 })).toMatchObject({ recordStdin: true, maxSessions: 3, recordSession: undefined });
  expect(of({ record_session: "best_effort" }, {})).toMatchObject({ recordSession: "best_effort" });
  expect(of({ record_session: "best_effort" }, { record_session: "strict" })).toMatchObject({ recordSession: "strict" });
  expect(of({ record_session: "strict" }, {})).toMatchObject({ recordSession: "strict" });
});

test("SSH over roles: recorded where one says so, every forced command, the addresses that all have in common, X11 where one allows it", () => {
  const of = (...options: Record<string, unknown>[]) => buildRoleSet(options.map((one, index) => role(String(index), { options: one })), {}).options();
  expect(of({ ssh_recording: "off" }, {})).toMatchObject({ sshRecording: "off" });
  expect(of({ ssh_recording: "off" }, { ssh_recording: "proxy" })).toMatchObject({ sshRecording: "proxy" });
  expect(of({ force_command: "uptime" }, {}, { force_command: "uptime" })).toMatchObject({ forceCommands: ["uptime"], x11Forwarding: false });
  expect(of({ force_command: "uptime" }, { force_command: "id", x11_forwarding: true })).toMatchObject({ forceCommands: ["uptime", "id"], x11Forwarding: true });
  expect(of({ source_addresses: ["10.0.0.0/8", "2001:db8::/32"] }, {})).toMatchObject({ sourceAddresses: ["10.0.0.0/8", "2001:db8::/32"] });
  expect(of({ source_addresses: ["10.0.0.0/8", "2001:db8::/32"] }, { source_addresses: ["10.1.0.0/16", "192.0.2.1", "2001::/16"] })).toMatchObject({ sourceAddresses: ["2001:db8::/32", "10.1.0.0/16"] });
  expect(of({ source_addresses: ["10.0.0.0/8"] }, { source_addresses: ["11.0.0.0/8"] })).toMatchObject({ sourceAddresses: [] });
});
