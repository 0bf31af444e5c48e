import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto";
import { describeDuration } from "@gatehouse/core/base";
import { keychainExists } from "@gatehouse/core/client";
import { AgentLocked } from "@gatehouse/core/client/local-agent";
import { describeEnd } from "@gatehouse/core/client/terminal";
import { failed, loginNeeded, ok, skipped, thrownBy, warning, type Found } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** A login with less than this left ends under one's hands, ms. */
const soon = 10 * 60_000;

/** The profile, and the certificate with the key that it is over. */
export async function checkLogin({ address, damage, login, loginCommand, now, profile }: Patient): Promise<Found> {
  if (damage !== undefined) return thrownBy(damage);
  if (!profile) return loginNeeded(`not logged in to ${address?.text ?? "any gateway"}`, loginCommand);
  let record;
  try {
    record = await login();
  } catch (error) {
    return skipped(error instanceof AgentLocked ? error.message : "its keystore cannot be read");
  }
  if (!record) return loginNeeded("not logged in", loginCommand);
  if (record.expires <= now) return loginNeeded(`ended ${describeDuration(Math.max(1000, now - record.expires))} ago`, loginCommand);
  const certificate = new X509Certificate(record.tlsCertificate);
  if (!createPublicKey(createPrivateKey(record.privateKey)).equals(certificate.publicKey)) return loginNeeded("the certificate is over another key than the one that is kept", `${loginCommand} --force`);
  const begin = Date.parse(certificate.validFrom);
  if (begin > now) return failed(`the certificate is not valid before ${new Date(begin).toISOString()}`, "set this machine's clock");
  const lapsed = record.hostCertificates.find((pem) => Date.parse(new X509Certificate(pem).validTo) <= now);
  if (lapsed !== undefined) return loginNeeded("the cluster's authority that it came with has ended", `${loginCommand} --force`);
  const detail = `${record.username} at ${record.cluster}, valid until ${describeEnd(record.expires, now)}`;
  return record.expires - now < soon ? warning(detail, `${loginCommand} --force`) : ok(detail);
}

/** Where keys are kept, and whether it answers. */
export async function checkKeystore({ env, login, profile }: Patient): Promise<Found> {
  const kind = profile?.keystore;
  if (kind === undefined) return (await keychainExists(env)) ? ok("there is a keychain, for the next login") : warning("no keychain here: logins are kept in files that only you can read", "on a desktop, unlock or install one (gnome-keyring)");
  const record = await login();
  const name = { keychain: "the keychain", file: "the login's file", memory: "the local agent's memory" }[kind];
  return ok(`${name} answers${record ? "" : ", and holds no login"}`);
}
