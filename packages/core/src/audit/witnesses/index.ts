import type { Clock, Logger } from "../../base/index.ts";
import { fileWitness } from "./file.ts";
import { gatewayWitness } from "./gateway.ts";
import { createOutbox } from "./outbox.ts";
import { syslogWitness } from "./syslog.ts";
import type { WitnessOptions, WitnessStatus, WitnessWriter } from "./types.ts";

export type { WitnessOptions, WitnessStatus } from "./types.ts";

/** Everybody who gets the checkpoints. */
export interface Witnesses {
  add(line: string): void;
  status(): readonly WitnessStatus[];
  close(): Promise<void>;
}

async function open(options: WitnessOptions, deps: { readonly host: string; readonly clock: Clock; readonly logger: Logger }): Promise<WitnessWriter> {
  switch (options.type) {
    case "file":
      return fileWitness(options.path);
    case "syslog":
      return syslogWitness(options.address, deps.host, deps.clock);
    case "gateway":
      return gatewayWitness(options);
    case "s3": {
      // Loaded where it is configured.
      const { s3Witness } = await import("./s3.ts");
      return s3Witness(options, deps);
    }
  }
}

/** Opens the ways to all witnesses; whether they are there shows as they are used. Throws `bad_parameter` for an address that is none. */
export async function openWitnesses(list: readonly WitnessOptions[], deps: { readonly host: string; readonly clock: Clock; readonly logger: Logger }): Promise<Witnesses> {
  const writers = await Promise.all(list.map((options) => open(options, deps)));
  const outboxes = writers.map((writer) => createOutbox(writer, deps));
  return {
    add(line) {
      for (const outbox of outboxes) outbox.add(line);
    },
    status: () => outboxes.map((outbox) => outbox.status()),
    async close() {
      await Promise.all(outboxes.map((outbox) => outbox.close()));
    },
  };
}
