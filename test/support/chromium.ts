import { chromium, type Browser } from "playwright-core";

/** Debian's Chromium without a window, which asks nobody but the pages that a test opens. The caller closes it. */
export function launchChromium(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    timeout: 60_000,
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more],
  });
}
