import { errorMessage } from "../../../base/index.ts";
import { enter } from "./enter.ts";
import { Relay } from "./relay.ts";
import type { BridgeContext } from "./services.ts";
import type { RecordedConnection } from "./types.ts";

/** Ends the SSH of people and begins it anew towards hosts, so that what passes can be recorded. */
export interface Bridge {
  /** Runs one connection; resolves when it is over. Never rejects. Both its sockets are closed then. */
  run(connection: RecordedConnection): Promise<void>;
}

/** Makes the bridge of a gateway. */
export function createBridge(context: BridgeContext): Bridge {
  return {
    run: async (connection) => {
      try {
        const { grant, client, host } = await enter(context, connection);
        await Relay.run(context, connection, grant, { client, host });
      } catch (error) {
        context.logger.info({ connection: connection.id, user: connection.person.username, error: errorMessage(error) }, "an SSH connection did not come about");
      }
    },
  };
}
