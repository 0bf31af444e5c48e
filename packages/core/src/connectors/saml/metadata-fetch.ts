import { request, type Dispatcher } from "undici";
import { GatehouseError, errorMessage, readAll, systemErrorCode, version } from "../../base/index.ts";
import { quote } from "../quote.ts";
import { maxMetadata } from "./metadata.ts";

/**
 * Reads a provider's metadata from its address; redirects are not followed. Throws `internal` where it is away, slow or answers anything but 200,
 * `limit_exceeded` for more than 1 MiB. `timeout` is in ms.
 */
export async function fetchMetadata(url: string, dispatcher: Dispatcher, timeout: number): Promise<string> {
  const signal = AbortSignal.timeout(timeout);
  const host = quote(new URL(url).host);
  const hint = "try again; if it stays so, an administrator looks at entity_descriptor_url and at the gateway's way out to the provider";
  try {
    const response = await request(url, { dispatcher, signal, headers: { accept: "application/samlmetadata+xml, application/xml, text/xml", "user-agent": `gatehouse/${version}` } });
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw new GatehouseError("internal", `the SAML provider at ${host} answered ${response.statusCode} to the request for its metadata`, { hint });
    }
    const bytes = await readAll(response.body, maxMetadata, `the metadata of the SAML provider at ${host}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    if (error instanceof TypeError && systemErrorCode(error) === "ERR_ENCODING_INVALID_ENCODED_DATA") throw new GatehouseError("internal", `the metadata of the SAML provider at ${host} is not UTF-8`, { hint });
    const why = signal.aborted ? `did not send its metadata within ${timeout / 1000} s` : `cannot be reached for its metadata: ${systemErrorCode(error) ?? quote(errorMessage(error))}`;
    throw new GatehouseError("internal", `the SAML provider at ${host} ${why}`, { hint, cause: error });
  }
}
