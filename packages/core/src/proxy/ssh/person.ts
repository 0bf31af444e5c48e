import { addressInRanges } from "../../formats/index.ts";
import type { Identity } from "../../auth/index.ts";
import type { CertificateIdentity } from "../../ca/index.ts";
import type { SshPeople } from "./bridge/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";

/** Both ends of a connection. */
export interface Ends {
  /** IP address of the client. */
  readonly address: string;
  /** `ip:port`. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

/** Somebody whose certificate was good and who has proven that they hold its key. */
export class Person implements SshPeople, Ends {
  readonly address: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly certificate: CertificateIdentity;
  readonly #gatekeeper: SshContext["gatekeeper"];

  constructor(context: Pick<SshContext, "gatekeeper">, certificate: CertificateIdentity, { address, remoteAddress, localAddress }: Ends) {
    this.#gatekeeper = context.gatekeeper;
    this.certificate = certificate;
    this.address = address;
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
  }

  get user(): string {
    return this.certificate.username;
  }

  get username(): string {
    return this.certificate.username;
  }

  get loginSession(): string {
    return this.certificate.sessionId ?? "";
  }

  /** As the cluster sees them now. Throws `unauthenticated` or `access_denied`; {@link Denied} for an address that their roles do not allow. */
  identity(): Identity {
    if (this.certificate.usage.length > 0) {
      throw new Denied("access_denied", "usage", `this certificate is for ${this.certificate.usage.join(", ")} alone, not for SSH`);
    }
    const identity = this.#gatekeeper.identify(this.certificate);
    const { sourceAddresses } = identity.roles.options();
    if (sourceAddresses !== undefined && !addressInRanges(sourceAddresses, this.address)) {
      throw new Denied("access_denied", "source_addresses", `your roles let you use SSH from other addresses than ${this.address}`, {
        detail: `roles allow SSH from ${sourceAddresses.length === 0 ? "no address" : sourceAddresses.join(", ")} (source_addresses)`,
      });
    }
    return identity;
  }
}
