import { GatehouseError, systemErrorCode } from "../../base/index.ts";
import { createProviderHttp, type ProviderHttp } from "../http.ts";
import { quote } from "../quote.ts";
import type { ProviderTimeouts } from "../types.ts";
import { maxMetadata } from "./metadata.ts";

const hint = "try again; if it stays so, an administrator looks at entity_descriptor_url and at the gateway's way out to the provider";
const what = "the request for its metadata";
const accept = "application/samlmetadata+xml, application/xml, text/xml";

/** Reads a provider's metadata from its address. */
export interface MetadataReader {
  /** Throws `internal` where it is away, slow or answers anything but 200 with UTF-8, `limit_exceeded` for more than 1 MiB. */
  read(url: string): Promise<string>;
  /** Ends what is under way with an error. */
  close(): Promise<void>;
}

/** Makes a reader; connects when asked. */
export function createMetadataReader(timeouts: ProviderTimeouts): MetadataReader {
  let http: ProviderHttp | undefined;
  return {
    async read(url) {
      const who = `the SAML provider at ${quote(new URL(url).host)}`;
      http ??= createProviderHttp({ who, hint, timeouts, maxBody: maxMetadata });
      const { status, body } = await http.send({ what, url, headers: { accept } });
      if (status !== 200) throw new GatehouseError("internal", `${who} answered ${status} to ${what}`, { hint });
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(body);
      } catch (error) {
        if (systemErrorCode(error) !== "ERR_ENCODING_INVALID_ENCODED_DATA") throw error;
        throw new GatehouseError("internal", `the metadata of ${who} is not UTF-8`, { hint, cause: error });
      }
    },
    close: () => http?.close() ?? Promise.resolve(),
  };
}
