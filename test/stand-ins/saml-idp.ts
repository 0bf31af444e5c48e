import { generateKeyPairSync } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Constants, IdentityProvider, SamlLib, ServiceProvider, setSchemaValidator } from "samlify";
import { buildCertificate } from "@gatehouse/core/formats";
import { escapeMarkup, loginPage, messagePage, postPage } from "./saml-pages.ts";

/** An account. */
export interface SamlUser {
  readonly nameId: string;
  /** Default: an e-mail address. */
  readonly format?: string;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** How it answers. */
export interface SamlAnswers {
  /** What it signs; default `assertion`. */
  readonly sign?: "assertion" | "response" | "both";
  /** Encrypts assertions for the certificate in the service provider's metadata. */
  readonly encrypt?: "aes-128-gcm" | "aes-256-cbc" | "aes-128-cbc";
}

/** An identity provider (samlify) with a login page, for one service provider. */
export interface SamlIdp {
  readonly entityId: string;
  /** Its metadata, with the certificate of now. */
  readonly metadataUrl: string;
  metadata(): string;
  /** Takes requests of this service provider, by its metadata; they have to be signed. */
  trust(metadata: string): void;
  /** Takes the place of all accounts. */
  setUsers(users: readonly SamlUser[]): void;
  /** Who a browser is without being asked; a browser may also say it by header `x-stand-in-user`. */
  setUser(nameId: string | undefined): void;
  setAnswers(answers: SamlAnswers): void;
  /** Signs with a new key from now on. */
  rotate(): void;
  /** Answers nothing but 503. */
  setDown(down: boolean): void;
  /** Paths that were asked for. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

const day = 86_400_000;
const ciphers = {
  "aes-128-gcm": Constants.algorithms.encryption.data.AES_128_GCM,
  "aes-256-cbc": Constants.algorithms.encryption.data.AES_256,
  "aes-128-cbc": Constants.algorithms.encryption.data.AES_128,
} as const;

function newKey(): { readonly privateKey: string; readonly cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const content = { serial: BigInt(Date.now()), subject: { CN: ["SAML stand-in"] }, notBefore: Date.now() - day, notAfter: Date.now() + day, publicKey, keyUsage: ["digitalSignature"] as const };
  return { privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: buildCertificate(content, { privateKey }) };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > 64 * 1024) throw new Error("body too large");
  }
  return new URLSearchParams(body);
}

/** samlify's own template knows single values alone. */
function attributeStatement(user: SamlUser): string {
  const value = (text: string): string =>
    `<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">${escapeMarkup(text)}</saml:AttributeValue>`;
  const attributes = Object.entries(user.attributes).map(([name, values]) => `<saml:Attribute Name="${escapeMarkup(name)}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic">${values.map(value).join("")}</saml:Attribute>`);
  return attributes.length === 0 ? "" : `<saml:AttributeStatement>${attributes.join("")}</saml:AttributeStatement>`;
}

const authnStatement = (now: string): string =>
  `<saml:AuthnStatement AuthnInstant="${now}" SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`;

/** Starts it on loopback. Its host is `localhost`, so that to a gateway on 127.0.0.1 it is another site, as a real provider is. */
export async function startSamlIdp(options: { readonly users: readonly SamlUser[] }): Promise<SamlIdp> {
  // The schema is the gateway's own affair here: what it sends is held to its form by the tests.
  setSchemaValidator({ validate: () => Promise.resolve("unchecked") });
  const byName = (list: readonly SamlUser[]): ReadonlyMap<string, SamlUser> => new Map(list.map((user) => [user.nameId, user]));
  let users = byName(options.users);
  const requests: string[] = [];
  let key = newKey();
  let spMetadata: string | undefined;
  let current: string | undefined;
  let answers: SamlAnswers = {};
  let down = false;

  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => {
      response.writeHead(400, { "content-type": "text/html" }).end(messagePage(error instanceof Error ? error.message : String(error)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://localhost:${String((server.address() as AddressInfo).port)}`;
  const entityId = `${base}/metadata`;

  const provider = (): ReturnType<typeof IdentityProvider> =>
    IdentityProvider({
      entityID: entityId,
      signingCert: key.cert,
      privateKey: key.privateKey,
      wantAuthnRequestsSigned: true,
      requestSignatureAlgorithm: Constants.algorithms.signature.RSA_SHA256,
      nameIDFormat: [Constants.namespace.format.emailAddress],
      singleLogoutService: [{ Binding: Constants.namespace.binding.redirect, Location: `${base}/logout` }],
      singleSignOnService: [{ Binding: Constants.namespace.binding.redirect, Location: `${base}/sso` }],
      isAssertionEncrypted: answers.encrypt !== undefined,
      ...(answers.encrypt === undefined ? {} : { dataEncryptionAlgorithm: ciphers[answers.encrypt], keyEncryptionAlgorithm: Constants.algorithms.encryption.key.RSA_OAEP_MGF1P }),
    });

  function service(): ReturnType<typeof ServiceProvider> {
    if (spMetadata === undefined) throw new Error("this provider knows no service provider yet");
    const { sign = "assertion" } = answers;
    const metadata = sign === "response" ? spMetadata.replace('WantAssertionsSigned="true"', 'WantAssertionsSigned="false"') : spMetadata;
    return ServiceProvider({ metadata, wantMessageSigned: sign !== "assertion" });
  }

  async function answer(query: URLSearchParams, rawQuery: string, nameId: string): Promise<string> {
    const idp = provider();
    const sp = service();
    const octetString = rawQuery.split("&").filter((part) => !part.startsWith("Signature=")).join("&");
    const parsed = await idp.parseLoginRequest(sp, "redirect", { query: Object.fromEntries(query), octetString });
    const acs = sp.entityMeta.getAssertionConsumerService("post") as string;
    const relayState = query.get("RelayState") ?? "";
    const user = users.get(nameId);
    const now = Date.now();
    const id = (): string => `_${crypto.randomUUID()}`;
    if (!user) return postPage(acs, { SAMLResponse: Buffer.from(refusal(acs, (parsed.extract.request as { id: string }).id)).toString("base64"), RelayState: relayState });
    const fill = (template: string): { id: string; context: string } => {
      const responseId = id();
      const statements = template.replace("{AuthnStatement}", authnStatement(new Date(now).toISOString())).replace("{AttributeStatement}", attributeStatement(user));
      const until = new Date(now + 300_000).toISOString();
      const issued = new Date(now).toISOString();
      const context = SamlLib.replaceTagsByValue(statements, {
        ID: responseId,
        AssertionID: id(),
        IssueInstant: issued,
        Destination: acs,
        InResponseTo: (parsed.extract.request as { id: string }).id,
        Issuer: entityId,
        StatusCode: Constants.StatusCode.Success,
        NameIDFormat: user.format ?? Constants.namespace.format.emailAddress,
        NameID: user.nameId,
        SubjectConfirmationDataNotOnOrAfter: until,
        SubjectRecipient: acs,
        ConditionsNotBefore: issued,
        ConditionsNotOnOrAfter: until,
        Audience: sp.entityMeta.getEntityID(),
      });
      return { id: responseId, context };
    };
    const made = await idp.createLoginResponse(sp, { extract: parsed.extract }, "post", { email: user.nameId }, { relayState, customTagReplacement: fill, encryptThenSign: (answers.sign ?? "assertion") !== "assertion" });
    return postPage(acs, { SAMLResponse: made.context, RelayState: relayState });
  }

  function refusal(acs: string, request: string): string {
    const code = (value: string, inner = ""): string => `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${value}">${inner}</samlp:StatusCode>`;
    return [
      `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_${crypto.randomUUID()}" Version="2.0" IssueInstant="${new Date().toISOString()}" Destination="${escapeMarkup(acs)}" InResponseTo="${escapeMarkup(request)}">`,
      `<samlp:Status>${code("Responder", code("AuthnFailed"))}<samlp:StatusMessage>the person cancelled</samlp:StatusMessage></samlp:Status></samlp:Response>`,
    ].join("");
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", base);
    requests.push(url.pathname);
    const send = (status: number, type: string, body: string): void => void response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    const html = (status: number, body: string): void => send(status, "text/html; charset=utf-8", body);
    if (down) return html(503, messagePage("down"));
    if (url.pathname === "/metadata") return send(200, "application/samlmetadata+xml", provider().getMetadata());
    if (url.pathname !== "/sso") return html(404, messagePage("not found"));
    const rawQuery = url.search.slice(1);
    if (request.method === "POST") return html(200, await answer(url.searchParams, rawQuery, (await readForm(request)).get("as") ?? ""));
    const header = request.headers["x-stand-in-user"];
    const known = typeof header === "string" ? header : current;
    if (known !== undefined) return html(200, await answer(url.searchParams, rawQuery, known));
    return html(200, loginPage([...users.keys()], `/sso?${rawQuery}`));
  }

  return {
    entityId,
    metadataUrl: `${base}/metadata`,
    metadata: () => provider().getMetadata(),
    trust(metadata) {
      spMetadata = metadata;
    },
    setUsers(next) {
      users = byName(next);
    },
    setUser(nameId) {
      current = nameId;
    },
    setAnswers(next) {
      answers = next;
    },
    rotate() {
      key = newKey();
    },
    setDown(next) {
      down = next;
    },
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
