import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { StreamEnd } from "@gatehouse/core/formats";
import { refusalStatus, sendFailure, sendFailureRaw } from "@gatehouse/core/relay";
import { refusalOf, type Passing } from "./context.ts";
import { Exchange } from "./exchange.ts";
import type { ListenerHandlers } from "./listener.ts";
import { findCluster } from "./paths.ts";
import type { RequestLog } from "./requests.ts";
import type { GatewayRoute } from "./route.ts";
import type { KubeProxyLimits, KubeProxyOptions } from "./types.ts";
import { passUpgrade } from "./upgrade.ts";

/** What requests are decided with. */
export interface HandlerContext {
  readonly options: KubeProxyOptions;
  readonly limits: KubeProxyLimits;
  /** By the cluster's name. */
  readonly routes: ReadonlyMap<string, GatewayRoute>;
  readonly requests: RequestLog;
  /** When the right of a connection's client ends, ms since the epoch; undefined where it has none. */
  readonly endOf: (socket: Socket) => number | undefined;
}

/** Handlers that send requests on to the gateway; `upgraded` holds the sockets that they have taken from the listener. */
export function createHandlers(context: HandlerContext): { readonly handlers: ListenerHandlers; readonly upgraded: ReadonlySet<Socket> } {
  const upgraded = new Set<Socket>();
  const handlers: ListenerHandlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      const answer = async (): Promise<void> => {
        const passing = await decide(context, request, (why) => {
          sendFailure(response, why);
        });
        if (passing === undefined) return;
        if (response.destroyed) passing.entry.end();
        else new Exchange(passing, request, response).start();
      };
      answer().catch((error: unknown) => {
        sendFailure(response, refusalOf(error));
      });
    },
    upgrade(request: IncomingMessage, socket: Socket, head: Buffer) {
      upgraded.add(socket);
      // Node takes its own listener off an upgraded socket; without one a reset would end the process.
      socket.on("error", () => undefined);
      socket.once("close", () => upgraded.delete(socket));
      const answer = async (): Promise<void> => {
        const passing = await decide(context, request, (why) => {
          sendFailureRaw(socket, why);
        });
        if (passing === undefined) return;
        if (socket.destroyed) passing.entry.end();
        else passUpgrade(passing, request, socket, head);
      };
      answer().catch((error: unknown) => {
        sendFailureRaw(socket, refusalOf(error));
      });
    },
  };
  return { handlers, upgraded };
}

/** Where a request goes, with the login of now; undefined where it was refused. */
async function decide({ options, limits, routes, requests, endOf }: HandlerContext, request: IncomingMessage, refuse: (why: StreamEnd) => void): Promise<Passing | undefined> {
  const { clock, clusters, gateway, login } = options;
  const { socket, method = "GET", url = "" } = request;
  const found = findCluster(url, clusters);
  const entry = requests.begin(found?.cluster.name ?? "", method, found?.target ?? url);
  const fail = (why: StreamEnd): undefined => {
    entry.answered(why.code);
    entry.end();
    refuse(why);
  };
  const end = endOf(socket);
  if (end === undefined || clock.now() >= end) { fail(refusalStatus(401, "the certificate of this kubeconfig is not good any more: start the tool again, or tsh proxy kube")); return; }
  const route = found && routes.get(found.cluster.name);
  if (found === undefined || route === undefined) { fail(refusalStatus(404, `tsh proxy kube serves no cluster at ${url.slice(0, 200)}`)); return; }
  if (requests.underWay > limits.requests) { fail(refusalStatus(429, `more than ${limits.requests} requests are under way`)); return; }
  // What client-go is told of a refused discovery depends on the path as the cluster knows it.
  request.url = found.target;
  try {
    const way = route.with(await login.current());
    return {
      way,
      gateway,
      target: found.target,
      prefix: found.prefix,
      entry,
      refused: () => {
        login.doubt();
      },
    };
  } catch (error) {
    fail(refusalOf(error)); return;
  }
}
