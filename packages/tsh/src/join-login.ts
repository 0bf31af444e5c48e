import { resolve } from "node:path";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { chosenIdentity } from "@gatehouse/core/client";
import { identityFiles, refuseUnwritable, writeIdentityFiles } from "@gatehouse/core/client/identity";
import { describeEnd, formatData, type DataFormat, type Output } from "@gatehouse/core/client/terminal";
import { joinerOf, type JoinFlagValues } from "./join.ts";

/** `tsh login --join-method`: a bot's certificates go to a file, and nothing is kept beside it. */
export async function joinLogin(flags: JoinFlagValues & { readonly out?: string | undefined; readonly format: DataFormat }, output: Output): Promise<void> {
  const out = flags.out === undefined ? chosenIdentity(process.env, undefined) : resolve(flags.out);
  if (out === undefined) throw new GatehouseError("usage", "a machine's login goes to a file: which one?", { hint: "--out=FILE, or TSH_IDENTITY_FILE, which every command reads" });
  await refuseUnwritable([out]);
  const joiner = await joinerOf(flags, (text) => output.stderr.write(text));
  const { record, account } = await joiner.join();
  await writeIdentityFiles(identityFiles("file", out, record, account));
  const clusters = account.kubeClusters.filter(({ groups }) => groups.length > 0).map(({ name }) => name);
  if (flags.format !== "text") {
    output.stdout.write(await formatData({ user: record.username, cluster: record.cluster, proxy: record.proxy, roles: account.roles, logins: account.logins, valid_until: new Date(record.expires).toISOString(), identity_file: out, kubernetes: { clusters } }, flags.format));
    return;
  }
  output.stderr.write(`${output.style.green("✔")} ${escapeLine(record.username)}, until ${describeEnd(record.expires, systemClock.now())}, in ${escapeLine(out)}\n`);
  if (flags.out !== undefined) output.stderr.write(`  use it: tsh -i ${escapeLine(flags.out)} …, or TSH_IDENTITY_FILE\n`);
}
