import { Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { resourceToJson } from "@gatehouse/core/resources";
import { TctlCommand, connectFlags } from "../command.ts";
import { describeLocking, lockFromFlags } from "../locks.ts";

/** `tctl lock` */
export class LockCommand extends TctlCommand {
  static override summary = "Lock somebody or something out";
  static override description =
    "Refuses new certificates and requests, and ends live sessions with the message. Of several targets all have to match. The lock ends by itself, or when it is removed: tctl locks rm.";
  static override examples = [
    '<%= config.bin %> lock --user=bo --message="laptop stolen" --ttl=24h',
    '<%= config.bin %> lock --role=contractor --message="contract ended"',
    '<%= config.bin %> lock --kube-cluster=prod --message="maintenance" --expires=2030-01-31T12:00:00Z',
    "<%= config.bin %> lock --user=bo --kube-cluster=prod",
  ];
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    user: Flags.string({ summary: "A user", helpValue: "<name>" }),
    role: Flags.string({ summary: "Everybody who has this role", helpValue: "<name>" }),
    login: Flags.string({ summary: "An account on hosts", helpValue: "<login>" }),
    node: Flags.string({ summary: "A host, by name or id", helpValue: "<host>" }),
    "kube-cluster": Flags.string({ summary: "A Kubernetes cluster", helpValue: "<name>" }),
    session: Flags.string({ summary: "One live session, or one login session, by its id", helpValue: "<id>" }),
    ttl: Flags.string({ summary: "How long; left out, until the lock is removed", helpValue: "<duration>" }),
    expires: Flags.string({ summary: "Until when", helpValue: "<RFC 3339 time>" }),
    message: Flags.string({ summary: "What those who are refused are told", helpValue: "<text>" }),
  };

  /** Creates the lock and says what it did. */
  async run(): Promise<void> {
    const { flags } = await this.parse(LockCommand);
    const now = systemClock.now();
    const lock = lockFromFlags(flags, now);
    const admin = await this.connect(flags);
    const start = performance.now();
    const change = await admin.put(resourceToJson(lock), "create");
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData({ name: change.name, target: lock.spec.target, message: lock.spec.message, expires: lock.spec.expires, streams: change.streams, notes: change.notes ?? [] }, flags.format));
      return;
    }
    this.done(describeLocking(lock, change, now, performance.now() - start));
    this.note(change.notes);
    this.output.stderr.write(`  ${this.output.style.dim(`lift it with: tctl locks rm ${change.name}`)}\n`);
  }
}
