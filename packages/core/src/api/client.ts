import type { z } from "zod";
import { GatehouseError, limits, readAll } from "../base/index.ts";
import { formatRef, type Resource, type ResourceRef } from "../resources/index.ts";
import {
  adminItems,
  changeResponse,
  exportResponse,
  gatewayResponse,
  hostCertificateResponse,
  inviteResponse,
  signResponse,
  statusResponse,
  whoamiResponse,
  type AdminItems,
  type ChangeResponse,
  type ExportResponse,
  type GatewayResponse,
  type HostCertificateRequest,
  type HostCertificateResponse,
  type InviteRequest,
  type InviteResponse,
  type PutRequest,
  type SignRequest,
  type SignResponse,
  type StatusResponse,
  type WhoamiResponse,
} from "./admin.ts";
import { eventsPath, eventsResponse, loggedEvent, type EventsRequest, type EventsResponse, type LoggedEvent } from "./events.ts";
import { headlessPoll, headlessStart, type HeadlessPoll, type HeadlessRequest, type HeadlessStart } from "./headless.ts";
import { mfaLinkResponse, mfaRemoveResponse, mfaResponse, type MfaLinkRequest, type MfaLinkResponse, type MfaRemoveResponse, type MfaResponse } from "./mfa.ts";
import { nodesPath, nodesResponse, type NodeItem } from "./nodes.ts";
import { refusalOf } from "./refusal.ts";
import { recordingsResponse, type RecordingItem, type RecordingsRequest } from "./recordings.ts";
import { sessionsResponse, type SessionInput, type SessionItem, type SessionJoinRequest } from "./sessions.ts";
import {
  consoleLoginResponse,
  pingResponse,
  sshLoginResponse,
  type ConsoleLoginRequest,
  type ConsoleLoginResponse,
  type JoinRequest,
  type LocalLoginRequest,
  type PingResponse,
  type SshLoginResponse,
} from "./web.ts";

/** An answer, its body read to the end (bounded by the transport). */
export interface TransportResponse {
  readonly status: number;
  readonly body: string;
}

/** An answer whose body is read as it comes. */
export interface TransportStream {
  readonly status: number;
  /** Bytes of the body, where the gateway says. */
  readonly length?: number | undefined;
  /** Pieces of the body. Whoever does not read them to the end calls `close`. */
  readonly body: AsyncIterable<Uint8Array>;
  close(): void;
}

/** How a client reaches the gateway: TLS with its pins, a Unix socket, or a test. Throws `unavailable` when it cannot. */
export interface Transport {
  /** `again`: more of its like may follow soon, and a connection may be kept for them. */
  request(request: { readonly method: "GET" | "POST" | "PUT" | "DELETE"; readonly path: string; readonly body?: unknown; readonly again?: boolean }): Promise<TransportResponse>;
  /**
   * Asks for what may be long, or never end. The answer has to begin in time; the rest takes as long as it takes, but for `idle`: ms that may
   * pass without a byte while one is waited for.
   */
  stream(request: { readonly method: "GET"; readonly path: string; readonly idle?: number | undefined }): Promise<TransportStream>;
}

/** Calls that need no certificate. */
export interface WebClient {
  ping(connector?: string): Promise<PingResponse>;
  localLogin(request: LocalLoginRequest): Promise<SshLoginResponse>;
  /** Trades a one-use token, or a job's JWT, for a bot's certificates. */
  join(request: JoinRequest): Promise<SshLoginResponse>;
  /** `local`: the way is chosen on the gateway's login page. */
  consoleLogin(kind: "github" | "oidc" | "saml" | "local", request: ConsoleLoginRequest): Promise<ConsoleLoginResponse>;
  /** Asks for a login that is approved in a browser elsewhere. */
  headlessStart(request: HeadlessRequest): Promise<HeadlessStart>;
  /** Asks what became of it, and waits a while for it. Throws the refusal. */
  headlessPoll(id: string, pollSecret: string): Promise<HeadlessPoll>;
}

/** Calls as a logged-in person, or as the local administrator. */
export interface AdminClient {
  whoami(): Promise<WhoamiResponse>;
  /** Ends the caller's own login session. */
  logout(): Promise<void>;
  /** New certificates for the caller's own login session, over the key of the certificate that this is asked with. */
  renew(): Promise<SshLoginResponse>;
  status(): Promise<StatusResponse>;
  get(ref: ResourceRef, withSecrets: boolean): Promise<AdminItems["items"]>;
  put(resource: Resource | Record<string, unknown>, mode: PutRequest["mode"], revision?: number): Promise<ChangeResponse>;
  remove(ref: ResourceRef): Promise<ChangeResponse>;
  /** Begins a test of a connector; the outcome comes to the loopback address. */
  testConnector(connector: Record<string, unknown>, redirectUrl: string): Promise<ConsoleLoginResponse>;
  invite(user: string, request: InviteRequest): Promise<InviteResponse>;
  resetUser(user: string, ttl: number): Promise<InviteResponse>;
  /** The caller's own second factors. */
  mfa(): Promise<MfaResponse>;
  /** A page, good once, on which the caller changes them. */
  mfaLink(request: MfaLinkRequest): Promise<MfaLinkResponse>;
  /** Somebody's second factors. */
  userMfa(user: string): Promise<MfaResponse>;
  /** Removes one of somebody's, or all and the recovery codes. */
  removeUserMfa(user: string, device: string | undefined): Promise<MfaRemoveResponse>;
  /** Signs a public key as a user's. */
  sign(user: string, request: SignRequest): Promise<SignResponse>;
  exportAuthority(kind: string): Promise<ExportResponse>;
  /** What somebody needs to know who is to trust the gateway. */
  gateway(): Promise<GatewayResponse>;
  /** Signs a public key as a host's. */
  signHost(request: HostCertificateRequest): Promise<HostCertificateResponse>;
  /** A page of the audit log. */
  events(request: EventsRequest): Promise<EventsResponse>;
  /** What the gateway keeps as the witness of another one: a checkpoint a line. */
  witness(name: string): AsyncGenerator<string, void, void>;
  /** Events as they are written, until the caller stops asking. */
  followEvents(request: Pick<EventsRequest, "event" | "user" | "sid">): AsyncGenerator<LoggedEvent, void, void>;
  /** Hosts that the caller may log in to, sorted by hostname. */
  nodes(): Promise<readonly NodeItem[]>;
  /** Recordings of ended sessions that the caller may list, the latest first. */
  recordings(query: RecordingsRequest): Promise<readonly RecordingItem[]>;
  /** The container of one recording. */
  recording(sid: string): Promise<TransportStream>;
  /** Sessions under way that the caller may list, the latest first. */
  sessions(): Promise<readonly SessionItem[]>;
  /** Ends a live session; its person reads the message. */
  killSession(sid: string, message?: string): Promise<void>;
  /** The container of a live session's recording, as it grows, to the session's end. Whoever does not read so far closes it. */
  watchSession(sid: string): Promise<TransportStream>;
  /** {@link AdminClient.watchSession}, as one who takes part in it. */
  joinSession(sid: string, request: SessionJoinRequest): Promise<TransportStream>;
  /** Types into a session that was joined as a peer; resolves when the host has it. */
  typeInto(sid: string, key: string, input: SessionInput): Promise<void>;
}

/** ms without a byte after which a gateway that sends what it has is given up. Live streams may be silent for longer. */
const silence = 60_000;
/** Longest line that is taken: the log writes none over 100 KB. */
const maxLine = 1024 * 1024;

/** Lines as they come. Throws what the gateway says instead. */
async function* readLines(transport: Transport, path: string, idle?: number): AsyncGenerator<string, void, void> {
  const { status, body, close } = await transport.stream({ method: "GET", path, idle });
  try {
    const decoder = new TextDecoder();
    let kept = "";
    for await (const piece of body) {
      kept += decoder.decode(piece, { stream: true });
      if (kept.length > maxLine) throw new GatehouseError("limit_exceeded", "the gateway sent a line without an end");
      if (status !== 200) continue;
      const lines = kept.split("\n");
      kept = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield line;
    }
    if (status !== 200) throw refusalOf({ status, body: kept });
  } finally {
    close();
  }
}

/** Events as they come. Throws what the gateway says, in its answer or in a last line. */
async function* followLines(transport: Transport, path: string): AsyncGenerator<LoggedEvent, void, void> {
  for await (const line of readLines(transport, path)) yield eventOf(line);
}

function eventOf(line: string): LoggedEvent {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new GatehouseError("internal", "the gateway sent a line that is not JSON", { cause: error });
  }
  if (typeof json === "object" && json !== null && "error" in json && !("event" in json)) throw refusalOf({ status: 503, body: line });
  const parsed = loggedEvent.safeParse(json);
  if (!parsed.success) throw new GatehouseError("internal", "the gateway sent a line that is no event", { cause: parsed.error });
  return parsed.data;
}

/** What a refusal of the gateway is to say here. */
type Explain = (refusal: GatehouseError) => GatehouseError;

function caller(transport: Transport, explain: Explain = (refusal) => refusal): <T>(schema: z.ZodType<T> | undefined, method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown, again?: boolean) => Promise<T> {
  return async (schema, method, path, body, again) => {
    const response = await transport.request({ method, path, ...(body === undefined ? {} : { body }), ...(again === true ? { again } : {}) });
    if (response.status < 200 || response.status >= 300) throw explain(refusalOf(response));
    if (!schema) return undefined as never;
    let json: unknown;
    try {
      json = JSON.parse(response.body);
    } catch (error) {
      throw new GatehouseError("internal", `the gateway's answer to ${method} ${path} is not JSON`, { cause: error });
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success) {
      throw new GatehouseError("internal", `the gateway's answer to ${method} ${path} has another shape than expected`, { cause: parsed.error });
    }
    return parsed.data;
  };
}

/** An answer in pieces; throws the error that it tells. */
async function openStream(transport: Transport, request: Parameters<Transport["stream"]>[0]): Promise<TransportStream> {
  const response = await transport.stream(request);
  if (response.status >= 200 && response.status < 300) return response;
  const body = await readAll(response.body, limits.apiBody, "the gateway's answer");
  throw refusalOf({ status: response.status, body: body.toString("utf8") });
}

/** A client for the web API (`/v1/webapi/…`). */
export function createWebClient(transport: Transport): WebClient {
  const call = caller(transport);
  return {
    ping: (connector) => call(pingResponse, "GET", `/v1/webapi/ping${connector === undefined ? "" : `/${encodeURIComponent(connector)}`}`),
    localLogin: (request) => call(sshLoginResponse, "POST", "/v1/webapi/ssh/certs", request),
    join: (request) => call(sshLoginResponse, "POST", "/gatehouse/v1/join", request),
    consoleLogin: (kind, request) => call(consoleLoginResponse, "POST", `/v1/webapi/${kind}/login/console`, request),
    headlessStart: (request) => call(headlessStart, "POST", "/gatehouse/v1/headless", request),
    headlessPoll: (id, pollSecret) => call(headlessPoll, "POST", `/gatehouse/v1/headless/${encodeURIComponent(id)}/poll`, { poll_secret: pollSecret }),
  };
}

/** A client for the admin API (`/gatehouse/v1/…`). `explain` may change what the refusal of a call says; those of streams are as they come. */
export function createAdminClient(transport: Transport, explain?: Explain): AdminClient {
  const call = caller(transport, explain);
  const base = "/gatehouse/v1";
  const resource = (ref: ResourceRef): string => `${base}/resources/${formatRef(ref).split("/").map(encodeURIComponent).join("/")}`;
  return {
    whoami: () => call(whoamiResponse, "GET", `${base}/whoami`),
    renew: () => call(sshLoginResponse, "POST", `${base}/renew`, {}),
    logout: () => call<undefined>(undefined, "DELETE", `${base}/session`),
    status: () => call(statusResponse, "GET", `${base}/status`),
    get: async (ref, withSecrets) => (await call(adminItems, "GET", `${resource(ref)}${withSecrets ? "?with_secrets=true" : ""}`)).items,
    put: (value, mode, revision) => call(changeResponse, "PUT", `${base}/resources`, { resource: value, mode, ...(revision === undefined ? {} : { revision }) }),
    remove: (ref) => call(changeResponse, "DELETE", resource(ref)),
    testConnector: (connector, redirect_url) => call(consoleLoginResponse, "POST", `${base}/sso/test`, { connector, redirect_url }),
    invite: (user, request) => call(inviteResponse, "POST", `${base}/users/${encodeURIComponent(user)}/invite`, request),
    mfa: () => call(mfaResponse, "GET", `${base}/mfa`),
    mfaLink: (request) => call(mfaLinkResponse, "POST", `${base}/mfa/link`, request),
    userMfa: (user) => call(mfaResponse, "GET", `${base}/users/${encodeURIComponent(user)}/mfa`),
    removeUserMfa: (user, device) => call(mfaRemoveResponse, "DELETE", `${base}/users/${encodeURIComponent(user)}/mfa${device === undefined ? "" : `?device=${encodeURIComponent(device)}`}`),
    resetUser: (user, ttl) => call(inviteResponse, "POST", `${base}/users/${encodeURIComponent(user)}/reset`, { ttl }),
    sign: (user, request) => call(signResponse, "POST", `${base}/users/${encodeURIComponent(user)}/certificate`, request),
    events: (request) => call(eventsResponse, "GET", `${base}/events${eventsPath(request)}`),
    witness: (name) => readLines(transport, `${base}/witness/${encodeURIComponent(name)}`, silence),
    followEvents: (request) => followLines(transport, `${base}/events/follow${eventsPath(request)}`),
    exportAuthority: (kind) => call(exportResponse, "GET", `${base}/authorities/${encodeURIComponent(kind)}/export`),
    gateway: () => call(gatewayResponse, "GET", `${base}/gateway`),
    signHost: (request) => call(hostCertificateResponse, "POST", `${base}/hosts/certificate`, request),
    nodes: async () => (await call(nodesResponse, "GET", nodesPath)).items,
    recordings: async (query) => {
      const asked = Object.entries(query as Readonly<Record<string, string | number | undefined>>).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]]));
      return (await call(recordingsResponse, "GET", `${base}/recordings?${new URLSearchParams(asked).toString()}`)).items;
    },
    recording: (sid) => openStream(transport, { method: "GET", path: `${base}/recordings/${encodeURIComponent(sid)}`, idle: silence }),
    sessions: async () => (await call(sessionsResponse, "GET", `${base}/sessions`)).items,
    killSession: (sid, message) => call<undefined>(undefined, "DELETE", `${base}/sessions/${encodeURIComponent(sid)}`, message === undefined ? {} : { message }),
    watchSession: (sid) => openStream(transport, { method: "GET", path: `${base}/sessions/${encodeURIComponent(sid)}/watch` }),
    joinSession: (sid, { mode, key }) => openStream(transport, { method: "GET", path: `${base}/sessions/${encodeURIComponent(sid)}/join?mode=${mode}&key=${encodeURIComponent(key)}` }),
    typeInto: (sid, key, input) => call<undefined>(undefined, "POST", `${base}/sessions/${encodeURIComponent(sid)}/join/${encodeURIComponent(key)}/input`, input, true),
  };
}
