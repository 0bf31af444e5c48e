import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { GatehouseError } from "../base/index.ts";
import { buildCertificate } from "../formats/index.ts";
import type { KeyPair, SamlConnector } from "../resources/index.ts";
import type { Context } from "./context.ts";

const generate = promisify(generateKeyPair);
const tenYears = 10 * 365 * 86_400_000;
/** A clock that is behind ours must not find the certificate too young. */
const backdate = 86_400_000;

/** A new RSA key, which every provider takes, and its self-signed certificate (reference §8.10). */
async function newPair({ clock, random }: Context, commonName: string): Promise<KeyPair> {
  const pair = await generate("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } });
  const now = clock.now();
  const serial = BigInt(`0x01${Buffer.from(random(15)).toString("hex")}`);
  const cert = buildCertificate(
    {
      serial,
      subject: { O: ["Gatehouse"], CN: [commonName] },
      notBefore: now - backdate,
      notAfter: now + tenYears,
      publicKey: createPublicKey(pair.publicKey),
      keyUsage: ["digitalSignature", "keyEncipherment"],
    },
    { privateKey: createPrivateKey(pair.privateKey) },
  );
  return { cert, private_key: pair.privateKey };
}

/** The pair with its private key, which may be the one that is stored. Throws `bad_parameter` where there is none, or one of another certificate. */
function complete(connector: string, field: string, given: KeyPair, existing: KeyPair | undefined): KeyPair {
  const fail = (message: string): GatehouseError => new GatehouseError("bad_parameter", `connector "${connector}": ${field} ${message}`);
  const privateKey = given.private_key ?? (existing?.cert.trim() === given.cert.trim() ? existing.private_key : undefined);
  if (privateKey === undefined) throw fail("needs its private_key: the stored one is of another certificate");
  let matches: boolean;
  try {
    matches = createPublicKey(createPrivateKey(privateKey)).equals(new X509Certificate(given.cert).publicKey);
  } catch {
    // What was thrown may quote the key.
    throw fail("cannot be read: cert and private_key are PEM");
  }
  if (!matches) throw fail("has a private_key that is not the one of its cert");
  return { cert: given.cert, private_key: privateKey };
}

/**
 * A SAML connector with its keys: those given, those stored before, or, to sign requests with, new ones. Throws `bad_parameter` for keys that
 * cannot be used.
 */
export async function prepareKeys(given: SamlConnector, existing: SamlConnector | undefined, context: Context): Promise<SamlConnector> {
  const { name } = given.metadata;
  const { signing_key_pair: signing, assertion_key_pair: assertion } = given.spec;
  const before = existing?.spec;
  return {
    ...given,
    spec: {
      ...given.spec,
      signing_key_pair: signing ? complete(name, "signing_key_pair", signing, before?.signing_key_pair) : (before?.signing_key_pair ?? (await newPair(context, context.authorities.clusterName))),
      ...(assertion ? { assertion_key_pair: complete(name, "assertion_key_pair", assertion, before?.assertion_key_pair) } : {}),
    },
  };
}
