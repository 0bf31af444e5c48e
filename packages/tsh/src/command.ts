import { Flags } from "@oclif/core";

/** `--proxy`, on every command that speaks of one gateway. */
export const proxyFlag = { proxy: Flags.string({ summary: "The gateway, host[:port]; else TELEPORT_PROXY, else the current profile", helpValue: "<gateway>" }) };
