import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "../base/index.ts";
import { startLoopback, type Loopback } from "./loopback.ts";

let loopback: Loopback<string> | undefined;
afterEach(() => loopback?.close());

async function start(bindAddress?: string): Promise<Loopback<string>> {
  loopback = await startLoopback<string>({
    bindAddress,
    random: systemRandom,
    successUrl: "https://gw/ok",
    failureUrl: "https://gw/no",
    judge: ({ response, error }) =>
      response === "good" ? { kind: "good", value: "good" } : error === "told" ? { kind: "bad", error: new GatehouseError("access_denied", "no team") } : { kind: "stray" },
  });
  return loopback;
}

function get(url: string, options: { readonly method?: string; readonly host?: string } = {}): Promise<{ readonly status: number; readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    request(url, { method: options.method ?? "GET", headers: options.host === undefined ? {} : { host: options.host } }, (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode ?? 0, location: response.headers.location }));
    })
      .on("error", reject)
      .end();
  });
}

describe("the listener that a login waits at", () => {
  it("sends the browser on by a short link, takes the answer, and shows the browser that it worked", async () => {
    const { callbackUrl, shortUrl, setTarget, answer } = await start();
    expect(callbackUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect((await get(shortUrl)).status).toBe(404);
    setTarget("https://gw/start");
    expect(await get(shortUrl)).toEqual({ status: 302, location: "https://gw/start" });
    expect(await get(`${callbackUrl}?secret=&response=good`)).toEqual({ status: 302, location: "https://gw/ok" });
    expect(await answer).toBe("good");
    expect(await get(`${callbackUrl}?response=good`)).toEqual({ status: 302, location: "https://gw/no" });
  });

  it("ends at once with the error that the gateway sealed", async () => {
    const { callbackUrl, answer } = await start();
    const refused = expect(answer).rejects.toThrow("no team");
    expect((await get(`${callbackUrl}?error=told`)).location).toBe("https://gw/no");
    await refused;
  });

  it("is not ended by answers that are for something else, until there are twenty", async () => {
    const { callbackUrl, answer, strays } = await start();
    for (let index = 0; index < 5; index++) expect((await get(`${callbackUrl}?response=evil`)).location).toBe("https://gw/no");
    expect(strays()).toBe(5);
    await get(`${callbackUrl}?response=good`);
    expect(await answer).toBe("good");
    await loopback?.close();
    const second = await start();
    const refused = expect(second.answer).rejects.toThrow(/not for this login/);
    for (let index = 0; index < 20; index++) await get(second.callbackUrl);
    await refused;
  });

  it("answers nobody who came by another name, path or method", async () => {
    const { callbackUrl, strays } = await start();
    const { port } = new URL(callbackUrl);
    expect((await get(`${callbackUrl}?response=good`, { host: `evil.example.com:${port}` })).status).toBe(404);
    expect((await get(`${callbackUrl}?response=good`, { host: `localhost:${port}` })).status).toBe(404);
    expect((await get(`${callbackUrl}?response=good`, { method: "POST" })).status).toBe(404);
    expect((await get(`http://127.0.0.1:${port}/other?response=good`)).status).toBe(404);
    expect(strays()).toBe(0);
  });

  it("binds loopback alone", async () => {
    for (const address of ["0.0.0.0:0", "192.168.1.1:80", "example.com", "127.0.0.1:99999", ":80"]) {
      await expect(start(address)).rejects.toMatchObject({ code: "usage" });
    }
    const { callbackUrl } = await start("127.0.0.1");
    const { port } = new URL(callbackUrl);
    await expect(startLoopback<string>({ bindAddress: `127.0.0.1:${port}`, random: systemRandom, successUrl: "", failureUrl: "", judge: () => ({ kind: "stray" }) })).rejects.toThrow(/something else listens there/);
  });
});
