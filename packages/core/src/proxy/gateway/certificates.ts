import { stat } from "node:fs/promises";
import { errorMessage, type Clock, type Logger } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import { issueHostMaterial, renewBefore } from "./host-certificate.ts";
import { readServerMaterial, type ServerMaterial } from "./web-certificate.ts";

const interval = 60_000;

/** The gateway's server certificates: `host` by the cluster's own authority; `web` the operator's, or the same as `host`. */
export interface Certificates {
  readonly host: ServerMaterial;
  readonly web: ServerMaterial;
  /** Renews and re-reads as time goes on, telling of every new certificate. Returns the function that stops it. */
  keepFresh(onChange: () => void): () => void;
}

async function modified(paths: readonly string[]): Promise<string> {
  const found = await Promise.all(paths.map((path) => stat(path)));
  return found.map(({ mtimeMs, ino }) => `${String(mtimeMs)} ${String(ino)}`).join("; ");
}

/** Reads and issues what is needed at start. Throws `bad_parameter` for an operator's certificate that cannot be used. */
export async function openCertificates(options: {
  readonly authorities: Authorities;
  readonly config: GatewayConfig;
  readonly hostId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<Certificates> {
  const { config, clock, logger } = options;
  const { httpsKeyFile: keyFile, httpsCertFile: certFile, publicAddrs } = config.web;
  const files = keyFile === undefined || certFile === undefined ? undefined : { keyFile, certFile };
  const hosts = publicAddrs.map(({ host }) => host);

  let host = await issueHostMaterial(options);
  let own = files && (await readServerMaterial(files, { hosts, clock, logger }));
  let seen = files && (await modified([files.keyFile, files.certFile]));

  async function renew(): Promise<boolean> {
    let changed = false;
    if (host.expires - clock.now() < renewBefore) {
      host = await issueHostMaterial(options);
      changed = true;
    }
    if (files) {
      const now = await modified([files.keyFile, files.certFile]);
      if (now !== seen) {
        own = await readServerMaterial(files, { hosts, clock, logger });
        seen = now;
        changed = true;
        logger.info({ file: files.certFile, ends: new Date(own.expires).toISOString() }, "the web certificate was read anew");
      }
    }
    return changed;
  }

  return {
    get host() {
      return host;
    },
    get web() {
      return own ?? host;
    },
    keepFresh(onChange) {
      const timer = setInterval(() => {
        renew().then(
          (changed) => {
            if (changed) onChange();
          },
          // Key and certificate are replaced one after the other: between the two they do not fit, and the old pair serves on.
          (error: unknown) => logger.warn({ error: errorMessage(error) }, "the web certificate could not be read anew; the old one stays in use"),
        );
      }, interval);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}
