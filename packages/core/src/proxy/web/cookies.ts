/** Cookies of a request by name; the first of a name counts. At most 50 are read, from at most 16 KiB. */
export function readCookies(header: string | undefined): Readonly<Record<string, string | undefined>> {
  const cookies: Record<string, string | undefined> = Object.create(null) as Record<string, string | undefined>;
  for (const pair of (header ?? "").slice(0, 16 * 1024).split(";", 50)) {
    const at = pair.indexOf("=");
    if (at <= 0) continue;
    const name = pair.slice(0, at).trim();
    cookies[name] ??= pair.slice(at + 1).trim();
  }
  return cookies;
}

const attributes = "Path=/; Secure; HttpOnly";

/** `Set-Cookie` of a login's cookie, which lives as long as the login may take (ms). Only one that says so comes with what another site posts. */
export function setCookie(cookie: { readonly name: string; readonly value: string; readonly crossSite?: boolean | undefined }, lifetime: number): string {
  return `${cookie.name}=${cookie.value}; ${attributes}; SameSite=${cookie.crossSite === true ? "None" : "Lax"}; Max-Age=${String(Math.floor(lifetime / 1000))}`;
}

/** `Set-Cookie` that removes a cookie. */
export function clearCookie(name: string): string {
  return `${name}=; ${attributes}; SameSite=Lax; Max-Age=0`;
}
