import { authFailed } from "../../audit/index.ts";
import { Strangers } from "../listener/index.ts";
import { Registry } from "../sessions/index.ts";
import type { Ending } from "../sessions/index.ts";
import { createBridge, type SshLive } from "./bridge/index.ts";
import { Connector } from "./connector.ts";
import type { SshContext } from "./context.ts";
import { HostKeys } from "./host-keys.ts";
import { defaultSshLimits } from "./limits.ts";
import { SshServer } from "./server.ts";
import type { SshProxy, SshProxyOptions } from "./types.ts";
import { createWebWay } from "./web-way.ts";

/** The SSH proxy: takes connections by SSH and by mutual TLS, decides each host, and passes bytes on or records them. */
export function createSshProxy(options: SshProxyOptions): SshProxy {
  const { nodes, revocations, gatekeeper, authorities, recorder, sessions, clock, logger, random } = options;
  let closing = false;
  const registry = new Registry<Ending, SshLive>({ gatekeeper, clock, lost: (live, now) => live.lost(now) });
  const strangers = new Strangers(clock, (address, count) => {
    const origin = { remoteAddress: address };
    recorder.write({ ...authFailed({ error: "more attempts without a good certificate than are written down one by one", origin }), proto: "ssh", rule: "certificate", count });
  });
  const context: SshContext = { options, limits: { ...defaultSshLimits, ...options.limits }, nodes, revocations, gatekeeper, authorities, recorder, sessions, registry, strangers, clock, logger, random, closing: () => closing };
  const hostKeys = new HostKeys(context);
  const bridge = createBridge({ sessions, recorder, registry, clock, logger, random });
  const connector = new Connector(context, hostKeys, bridge);
  const ssh = new SshServer(context, connector, hostKeys);
  const server = createWebWay(context, connector);

  return {
    server,
    streams: registry,
    get connections() {
      return ssh.connections;
    },
    get hosts() {
      return connector.hosts;
    },
    accept: (socket) => ssh.accept(socket),
    listen: (address) => ssh.listen(address),
    async close({ drainMs }) {
      closing = true;
      const stopping: Ending = { code: 503, message: "the gateway is shutting down" };
      const end = performance.now() + drainMs;
      ssh.stop();
      // Connections that carry nothing have nothing to wait for; those that do end with what they carry, or when there is no time left.
      const closed = server.close({ drainMs: drainMs + 1000 });
      while (registry.count > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      registry.endAll(stopping, (live) => live.stream);
      registry.endAll(stopping, () => true);
      await registry.idle(lastWords);
      await closed;
      ssh.destroy();
      registry.close();
      strangers.close();
    },
  };
}

/** How long clients may take to read why, ms. */
const lastWords = 1000;
