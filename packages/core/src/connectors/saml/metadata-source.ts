import { GatehouseError, type Clock } from "../../base/index.ts";
import type { SamlConnector } from "../../resources/index.ts";
import { describedProvider, type IdentityProvider } from "./identity-provider.ts";
import { parseMetadata } from "./metadata.ts";

const day = 24 * 3_600_000;
const minute = 60_000;
/** Between two readings that an unknown signature asks for: anybody who logs in can send one. */
const betweenRenewals = 10_000;

/** Where a connector's provider is described, now. */
export interface MetadataSource {
  /** Throws `internal` where the metadata cannot be read or is of no use. */
  current(): Promise<IdentityProvider>;
  /** Whether the keys are others by now than those of `seen`: it is read anew where nobody has since, at most once in ten seconds. Throws nothing: what cannot be read has not changed. */
  renewed(seen: IdentityProvider): Promise<boolean>;
}

interface Held {
  readonly provider: IdentityProvider;
  readonly at: number;
}

/** Metadata by address is kept for its cacheDuration, at most a day, and beyond that while the address does not answer, never past its validUntil. */
export function createMetadataSource(connector: SamlConnector, clock: Clock, fetch: (url: string) => Promise<string>): MetadataSource {
  const { entity_descriptor: inline, entity_descriptor_url: url, issuer } = connector.spec;
  let held: Held | undefined;
  let reading: Promise<Held> | undefined;
  let failed = Number.NEGATIVE_INFINITY;

  const describe = (text: string | undefined): IdentityProvider => {
    try {
      return describedProvider(connector, text === undefined ? undefined : parseMetadata(text, issuer));
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      throw new GatehouseError("internal", `connector "${connector.metadata.name}": ${error.message}`, { hint: error.hint, cause: error });
    }
  };
  const read = async (): Promise<Held> => {
    const text = url === undefined ? inline : await fetch(url);
    return (held = { provider: describe(text), at: clock.now() });
  };
  const readOnce = (): Promise<Held> => (reading ??= read().finally(() => (reading = undefined)));
  const valid = ({ provider }: Held): boolean => provider.validUntil === undefined || clock.now() < provider.validUntil;
  const fresh = (one: Held): boolean => url === undefined || clock.now() - one.at < Math.min(day, Math.max(minute, one.provider.cacheDuration ?? day));

  return {
    async current() {
      const kept = held && valid(held) ? held : undefined;
      // An address that is away would make every login wait for it.
      if (kept && (fresh(kept) || clock.now() - failed < minute)) return kept.provider;
      const now = await readOnce().catch((error: unknown) => {
        failed = clock.now();
        if (kept) return kept;
        throw error;
      });
      if (valid(now)) return now.provider;
      throw new GatehouseError("internal", `connector "${connector.metadata.name}": the provider's metadata was valid until ${new Date(now.provider.validUntil ?? 0).toISOString()}`, {
        hint: "an administrator gives the connector the provider's new metadata",
      });
    },
    async renewed(seen) {
      const before = held;
      if (url === undefined || !before) return false;
      const isOther = ({ provider }: Held): boolean => provider.certificates.join() !== seen.certificates.join();
      // Another login had it read, while this one was verified.
      if (isOther(before)) return true;
      if (clock.now() - before.at < betweenRenewals) return false;
      return isOther(await readOnce().catch(() => before));
    },
  };
}
