import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { GatehouseError, errorMessage, fileProblem, type Clock, type Logger } from "../../base/index.ts";

/** Key and chain, PEM, leaf first. */
export interface ServerMaterial {
  readonly key: string;
  readonly cert: string;
  /** End of the leaf, ms since the epoch. */
  readonly expires: number;
}

const day = 24 * 3_600_000;

async function readPem(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new GatehouseError("bad_parameter", `proxy_service.${key}: ${path} ${fileProblem(error)}`, { hint: "correct the path in teleport.yaml, or leave both files out: the gateway then makes its own certificate", cause: error });
  }
}

function parseChain(pem: string, path: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new GatehouseError("bad_parameter", `proxy_service.https_cert_file: there is no PEM certificate in ${path}`);
  try {
    return blocks.slice(0, 16).map((block) => new X509Certificate(block));
  } catch (error) {
    throw new GatehouseError("bad_parameter", `proxy_service.https_cert_file: ${path} holds a certificate that cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}

function checkChain(chain: readonly X509Certificate[], path: string): void {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
      throw new GatehouseError("bad_parameter", `proxy_service.https_cert_file: in ${path}, certificate ${String(index + 2)} did not issue certificate ${String(index + 1)}`, {
        hint: "put the gateway's own certificate first, then each issuer after the one it issued",
      });
    }
  }
}

/**
 * The operator's own web certificate. Throws `bad_parameter`, naming the file, where it cannot be read, the key is another one's, or the
 * chain is out of order; warns where it has ended, ends soon, or does not cover a public address.
 */
export async function readServerMaterial(
  files: { readonly keyFile: string; readonly certFile: string },
  context: { readonly hosts: readonly string[]; readonly clock: Clock; readonly logger: Logger },
): Promise<ServerMaterial> {
  // One after the other: where both are missing, it is always the key that is named.
  const key = await readPem(files.keyFile, "https_key_file");
  const cert = await readPem(files.certFile, "https_cert_file");
  const chain = parseChain(cert, files.certFile);
  const [leaf] = chain;
  if (!leaf) throw new GatehouseError("bad_parameter", `proxy_service.https_cert_file: there is no PEM certificate in ${files.certFile}`);
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw new GatehouseError("bad_parameter", `proxy_service.https_key_file: ${files.keyFile} is not a private key without passphrase, in PEM`, { cause: error });
  }
  if (!matches) {
    throw new GatehouseError("bad_parameter", `the key in ${files.keyFile} does not belong to the certificate in ${files.certFile}`, {
      hint: "https_key_file and https_cert_file must be of one pair, the gateway's own certificate first in its file",
    });
  }
  checkChain(chain, files.certFile);
  const expires = Date.parse(leaf.validTo);
  const left = expires - context.clock.now();
  if (left <= 0) context.logger.warn({ file: files.certFile, ended: leaf.validTo }, "the web certificate has ended: clients will refuse it");
  else if (left < 14 * day) context.logger.warn({ file: files.certFile, ends: leaf.validTo }, "the web certificate ends soon");
  for (const host of context.hosts) {
    if ((isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) === undefined) {
      context.logger.warn({ file: files.certFile, host }, "the web certificate does not cover this public address: clients will refuse it there");
    }
  }
  return { key, cert, expires };
}
