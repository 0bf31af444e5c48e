import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Flags } from "@oclif/core";
import { GatehouseError, describeDuration, escapeLine, systemClock } from "@gatehouse/core/base";
import { BaseCommand } from "@gatehouse/core/client/command";
import { identityFiles, refuseUnwritable, writeIdentityFiles, type IdentityFile, type IdentityFormat } from "@gatehouse/core/client/identity";
import { keepFresh, type Joined } from "@gatehouse/core/client/join";
import { describeEnd } from "@gatehouse/core/client/terminal";
import { proxyFlag } from "../../command.ts";
import { joinFlags, joinerOf } from "../../join.ts";

const names: Readonly<Record<IdentityFormat, string>> = { file: "identity.pem", openssh: "id", tls: "tls", kubernetes: "kubeconfig" };

function filesIn(directory: string, { record, account }: Joined): readonly IdentityFile[] {
  const usable = account.kubeAddress !== undefined && account.kubeClusters.some(({ groups }) => groups.length > 0);
  const formats = (Object.keys(names) as IdentityFormat[]).filter((format) => format !== "kubernetes" || usable);
  return formats.flatMap((format) => identityFiles(format, join(directory, names[format]), record, account));
}

/** `tsh bot start` */
export class BotStart extends BaseCommand {
  static override summary = "Keep a bot's login fresh in files while a job runs";
  static override description = `Writes identity.pem (for tsh -i and tctl -i), id and id-cert.pub, tls.key, tls.crt and tls.cas, and kubeconfig, each replaced whole and for its owner
alone. Joins anew, with a new JWT, when two thirds of the certificates' hour are over; tries again while they last where that fails, and then ends. The key stays the same.`;
  static override examples = [
    "<%= config.bin %> bot start --proxy=teleport.example.com --join-method=kubernetes --token=runner --out-dir=/run/tsh",
    { description: "Once, where the job is shorter than an hour", command: "<%= config.bin %> bot start --oneshot --join-method=gitlab --token=deploy --out-dir=tsh" },
  ];
  static override flags = {
    ...proxyFlag,
    ...joinFlags,
    "out-dir": Flags.string({ required: true, summary: "Folder to write to", helpValue: "<folder>" }),
    oneshot: Flags.boolean({ summary: "Write once, and end" }),
    ttl: Flags.string({ summary: "How long each login shall last, 1h at most", helpValue: "<duration>" }),
    "ca-pin": Flags.string({ summary: "Pin of the gateway's authority, which it prints at start", helpValue: "sha256:<hex>" }),
  };

  /** Writes once, or until it is stopped. */
  async run(): Promise<void> {
    const { flags } = await this.parse(BotStart);
    const directory = resolve(flags["out-dir"]);
    const joiner = await joinerOf(flags, (text) => this.output.stderr.write(text));
    if (!flags.oneshot && !joiner.renewable) throw new GatehouseError("usage", "this login cannot be renewed: there is no second JWT, or token, to be had", { hint: "add --oneshot, or --jwt-file where something renews the file" });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await refuseUnwritable([join(directory, names.file)]);
    const write = async (joined: Joined): Promise<void> => writeIdentityFiles(filesIn(directory, joined));
    const written = ({ record }: Joined): void => {
      this.output.stderr.write(`${this.output.style.green("✔")} ${escapeLine(record.username)}, until ${describeEnd(record.expires, systemClock.now())}, in ${escapeLine(directory)}\n`);
    };
    if (flags.oneshot) {
      const joined = await joiner.join();
      await write(joined);
      written(joined);
      return;
    }
    await keepFresh({
      joiner,
      write,
      clock: systemClock,
      sleep: (ms) => sleep(ms),
      written,
      failed: (error, next) => this.output.stderr.write(`not renewed: ${escapeLine(error.message)}; again in ${describeDuration(Math.max(1000, next))}\n`),
    });
  }
}
