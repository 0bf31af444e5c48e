import { resolve } from "node:path";
import { Flags } from "@oclif/core";
import { escapeLine, limits, systemClock } from "@gatehouse/core/base";
import { durationFlag } from "@gatehouse/core/client/command";
import { accountOf, identityFiles, identityFormats, identityPaths, newKey, refuseExisting, refuseUnwritable, verifyLogin, writeIdentityFiles } from "@gatehouse/core/client/identity";
import { describeEnd } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";

/** Clocks of two machines may differ by so much, ms. */
const slack = 60_000;

/** `tctl auth sign` */
export class AuthSign extends TctlCommand {
  static override summary = "Write a login of a user to a file, for what runs without a person";
  static override description = `Makes a key here, has its public half signed, and writes both. The login is audited, can be locked, and ends when the user is removed, like any other. It
lasts as long as asked for, at most as long as the user's roles allow; on the gateway's own machine, 30h at most. For CI, bots need no such file: tctl bots add.`;
  static override examples = [
    "<%= config.bin %> auth sign --user=ci --ttl=1h --out=ci.pem",
    { description: "For ssh -i", command: "<%= config.bin %> auth sign --user=ci --format=openssh --out=id_ci" },
    { description: "For kubectl --kubeconfig", command: "<%= config.bin %> auth sign --user=ci --format=kubernetes --out=ci.kubeconfig" },
  ];
  static override flags = {
    ...connectFlags,
    user: Flags.string({ required: true, summary: "The user, who exists", helpValue: "<name>" }),
    out: Flags.string({ required: true, char: "o", summary: "File to write", helpValue: "<file>" }),
    format: Flags.option({ options: identityFormats, default: "file" as const, summary: "One file for tsh -i and tctl -i; a key and FILE-cert.pub; a kubeconfig; or FILE.key, .crt, .cas" })(),
    ttl: Flags.string({ default: "1h", summary: "How long the login shall last", helpValue: "<duration>" }),
    force: Flags.boolean({ char: "f", summary: "Write over files that are there" }),
  };

  /** Makes the key, has it signed, writes. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AuthSign);
    const ttl = durationFlag("--ttl", flags.ttl, { min: limits.minCertificateTtl, max: limits.maxCertificateTtl, words: "1 min to 30 h" });
    const out = resolve(flags.out);
    const paths = identityPaths(flags.format, out);
    if (!flags.force) await refuseExisting(paths);
    await refuseUnwritable(paths);
    const admin = await this.connect(flags);
    const key = await newKey();
    const { login, proxy, session, account } = await admin.sign(flags.user, { public_key: Buffer.from(key.line).toString("base64"), ttl: Math.round(ttl) });
    const now = systemClock.now();
    const record = verifyLogin(login, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: flags.proxy ?? proxy, user: flags.user, now, gatewayNow: undefined });
    const files = identityFiles(flags.format, out, record, accountOf(account, record.proxy));
    await writeIdentityFiles(files);
    this.done(`${files.map(({ path }) => escapeLine(path)).join(", ")}: ${escapeLine(record.username)}, until ${describeEnd(record.expires, now)}`);
    if (record.expires < now + ttl - slack) this.note([`${flags.user} may have no login of ${flags.ttl}: their roles, or their own end, allow no more`]);
    this.output.stderr.write(`  ${this.output.style.yellow("whoever has the private key in it is that user until then:")} keep it to yourself\n  to end it before: tctl lock --session=${session}\n`);
  }
}
