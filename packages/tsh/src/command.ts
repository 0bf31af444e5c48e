import { Flags } from "@oclif/core";

/** `--proxy`, on every command that speaks of one gateway. */
export const proxyFlag = { proxy: Flags.string({ summary: "The gateway, host[:port]; else TELEPORT_PROXY, else the current profile", helpValue: "<gateway>" }) };

/** `--proxy` and `-i`, on every command that speaks to a gateway as somebody who is logged in. */
export const loginFlags = {
  ...proxyFlag,
  identity: Flags.string({ char: "i", summary: "An identity file instead of your own login; else TSH_IDENTITY_FILE", helpValue: "<file>" }),
};
