import { Flags } from "@oclif/core";
import type { AdminClient } from "@gatehouse/core/api";
import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { BaseCommand } from "@gatehouse/core/client/command";
import { connect } from "./connect.ts";

/** How to reach the gateway, on every command. */
export const connectFlags = {
  "data-dir": Flags.string({ summary: "On the gateway's machine: its data directory; else TELEPORT_DATA_DIR", helpValue: "<folder>" }),
  config: Flags.string({ char: "c", summary: "On the gateway's machine: its teleport.yaml, which says where the data directory is", helpValue: "<file>" }),
  proxy: Flags.string({ summary: "From elsewhere: the gateway, host[:port], with your own login", helpValue: "<gateway>" }),
  identity: Flags.string({ char: "i", summary: "From elsewhere: an identity file instead of your own login; else TSH_IDENTITY_FILE", helpValue: "<file>" }),
};

/** The values of {@link connectFlags}. */
export interface ConnectFlagValues {
  readonly "data-dir"?: string | undefined;
  readonly config?: string | undefined;
  readonly proxy?: string | undefined;
  readonly identity?: string | undefined;
}

/** The gateway's own machine, or from elsewhere: not both. By hand, since help would print the framework's pairs in every usage line. Throws `usage`. */
function checkWay(flags: ConnectFlagValues): void {
  const here = (["data-dir", "config"] as const).find((name) => flags[name] !== undefined);
  const elsewhere = (["proxy", "identity"] as const).find((name) => flags[name] !== undefined);
  if (here !== undefined && elsewhere !== undefined) throw new GatehouseError("usage", `--${elsewhere} and --${here} exclude each other`, { hint: `--${here} is for the gateway's own machine, --${elsewhere} for any other` });
}

/** A command of tctl. */
export abstract class TctlCommand extends BaseCommand {
  /** The admin API, by the way that the flags choose. */
  protected async connect(flags: ConnectFlagValues): Promise<AdminClient> {
    checkWay(flags);
    return connect({ dataDir: flags["data-dir"], config: flags.config, proxy: flags.proxy, identity: flags.identity }, process.env);
  }

  /** Lines for people that something has been done and is not all that they may have meant. */
  protected note(notes: readonly string[] = []): void {
    for (const text of notes) this.output.stderr.write(`  ${this.output.style.yellow("note:")} ${escapeLine(text)}\n`);
  }

  /** A line for people that something has been done. */
  protected done(text: string): void {
    this.output.stderr.write(`${this.output.style.green("✔")} ${text}\n`);
  }
}
