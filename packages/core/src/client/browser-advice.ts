import { escapeLine } from "../base/index.ts";
import type { Place } from "./surroundings.ts";

/** The link that a person has to open, and the gateway it is for. */
export interface Link {
  /** On this machine's loopback address, with a port. */
  readonly url: string;
  /** As people write it; absent where a login without a browser here is no way. */
  readonly proxy?: string | undefined;
}

function forwarding(url: string, target: string, port: number | undefined): string {
  const { hostname, port: local } = new URL(url);
  const here = hostname.startsWith("[") ? `${hostname}:${local}:` : `${local}:`;
  return `ssh -N${port === undefined ? "" : ` -p ${port}`} -L ${here}${hostname}:${local} ${target}`;
}

const headless = ({ proxy }: Link, before: string): string => (proxy === undefined ? "" : `${before}${escapeLine(`tsh login --headless --proxy=${proxy}`)}`);

/** What to do about a link that no browser on this machine can open for the person; empty where one can. Whole lines. */
export function linkAdvice(place: Place, link: Link): string {
  const { port } = new URL(link.url);
  switch (place.kind) {
    case "desktop":
      return "";
    case "ssh":
      return `This is an SSH session, and the link answers on this machine alone. On the machine with the browser, forward its port, then open the link there:
  ${escapeLine(forwarding(link.url, place.target ?? "<this machine>", place.port))}
The same port every time: --bind-addr=127.0.0.1:${port}.${headless(link, " Without a port to forward: ")}
`;
    case "wsl":
      return `This is Linux within Windows: open the link in a browser of Windows. The package wslu (wslview) lets tsh do it.\n`;
    case "container":
      return `This is a container, and the link answers inside it alone.${headless(link, " Approve the login in a browser elsewhere instead: ")}
(A container that was started with --network=host shares the link with its host.)
`;
    case "no-display":
      return `There is no display here (DISPLAY and WAYLAND_DISPLAY are not set), and the link answers on this machine alone. From the machine with the browser, forward its port, then open the link there:
  ${escapeLine(forwarding(link.url, "<this machine>", undefined))}${headless(link, "\nWithout a port to forward: ")}
`;
  }
}

/** What stands in the way of starting a browser here, as a sentence's end; undefined where one can be tried. */
export function noBrowserReason(place: Place): string | undefined {
  switch (place.kind) {
    case "desktop":
      return undefined;
    case "ssh":
      return "this is an SSH session without a forwarded display";
    case "wsl":
      return place.openers.length > 0 ? undefined : "no way to start Windows' browser was found";
    case "container":
      return "this is a container";
    case "no-display":
      return "there is no display here";
  }
}
