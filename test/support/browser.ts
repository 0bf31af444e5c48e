import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";

/** What a {@link Browser} saw. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly body: string;
  /** Every address on the way, the last one included. */
  readonly visited: readonly string[];
}

/** A scripted browser: follows redirects and keeps cookies by their rules (host, `Secure`, expiry), runs no script. */
export interface Browser {
  open(url: string): Promise<Page>;
  /** Sends a form of that page's own site. */
  post(url: string, fields: Readonly<Record<string, string>>): Promise<Page>;
}

interface Cookie {
  readonly value: string;
  readonly secure: boolean;
}

/** What a browser is like. */
export interface BrowserOptions {
  /** CA certificates (PEM) that it trusts. */
  readonly ca?: string | undefined;
  /** Who is logged in to the stand-in GitHub here. */
  readonly user?: string | undefined;
}

/** Makes a browser with an empty cookie jar. */
export function createBrowser(options: BrowserOptions = {}): Browser {
  const jar = new Map<string, Map<string, Cookie>>();

  function store(url: URL, headers: readonly string[]): void {
    const cookies = jar.get(url.hostname) ?? new Map<string, Cookie>();
    jar.set(url.hostname, cookies);
    for (const header of headers) {
      const [pair = "", ...attributes] = header.split(";").map((part) => part.trim());
      const at = pair.indexOf("=");
      const name = pair.slice(0, at);
      const flags = attributes.map((attribute) => attribute.toLowerCase());
      const secure = flags.includes("secure");
      const hostPrefix = name.startsWith("__Host-");
      if (secure && url.protocol !== "https:") continue;
      if (hostPrefix && (!secure || !flags.includes("path=/") || flags.some((flag) => flag.startsWith("domain=")))) continue;
      if (flags.includes("max-age=0")) cookies.delete(name);
      else cookies.set(name, { value: pair.slice(at + 1), secure });
    }
  }

  function cookieHeader(url: URL): string | undefined {
    const cookies = [...(jar.get(url.hostname) ?? [])].filter(([, cookie]) => !cookie.secure || url.protocol === "https:");
    return cookies.length === 0 ? undefined : cookies.map(([name, cookie]) => `${name}=${cookie.value}`).join("; ");
  }

  async function get(url: URL, form?: string): Promise<{ response: IncomingMessage; body: string }> {
    const cookie = cookieHeader(url);
    const headers = {
      accept: "text/html",
      ...(cookie === undefined ? {} : { cookie }),
      ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded", origin: url.origin, "sec-fetch-site": "same-origin" }),
      ...(options.user === undefined || url.protocol === "https:" ? {} : { "x-stand-in-user": options.user }),
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent =
        url.protocol === "https:"
          ? httpsRequest(url, { method: form === undefined ? "GET" : "POST", headers, agent: false, ...(options.ca === undefined ? {} : { ca: options.ca }) }, resolve)
          : httpRequest(url, { headers, agent: false }, resolve);
      sent.setTimeout(60_000, () => sent.destroy(new Error(`${url.origin} did not answer in 60 s`)));
      sent.once("error", reject).end(form);
    });
    let body = "";
    for await (const chunk of response.setEncoding("utf8")) body += String(chunk);
    return { response, body };
  }

  async function follow(address: string, form?: string): Promise<Page> {
    const visited: string[] = [];
    for (let url = new URL(address); visited.length < 15; ) {
      const { response, body } = await get(url, visited.length === 0 ? form : undefined);
      visited.push(url.href);
      store(url, response.headers["set-cookie"] ?? []);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status < 300 || status >= 400 || location === undefined) return { url: url.href, status, body, visited };
      url = new URL(location, url);
    }
    throw new Error(`too many redirects from ${address}: ${visited.join(" → ")}`);
  }

  return { open: (url) => follow(url), post: (url, fields) => follow(url, new URLSearchParams(fields).toString()) };
}

/** As a command: `browser.js URL`, the program that `BROWSER` names in tests. `BROWSER_CA` is a file of CA certificates, `BROWSER_USER` who sits there. */
export async function main(argv: readonly string[]): Promise<number> {
  const [url] = argv;
  if (url === undefined) return 2;
  const caFile = process.env["BROWSER_CA"];
  const browser = createBrowser({ ca: caFile === undefined ? undefined : readFileSync(caFile, "utf8"), user: process.env["BROWSER_USER"] });
  const page = await browser.open(url);
  return page.status < 400 ? 0 : 1;
}
