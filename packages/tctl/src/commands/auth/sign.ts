import { resolve } from "node:path";
import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, limits, systemClock } from "@gatehouse/core/base";
import { durationFlag } from "@gatehouse/core/client/command";
import { accountOf, identityFiles, identityFormats, identityPaths, newKey, refuseExisting, refuseUnwritable, verifyLogin, writeIdentityFiles } from "@gatehouse/core/client/identity";
import { describeEnd } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags, type ConnectFlagValues } from "../../command.ts";
import { prepareHostFiles } from "../../host-files.ts";
import { splitNames } from "../../names.ts";

/** Clocks of two machines may differ by so much, ms. */
const slack = 60_000;

interface HostFlags extends ConnectFlagValues {
  readonly host: string;
  readonly key?: string | undefined;
  readonly out?: string | undefined;
  readonly ttl?: string | undefined;
  readonly force: boolean;
}

/** `tctl auth sign` */
export class AuthSign extends TctlCommand {
  static override summary = "Write a login of a user to a file, or the certificate of a host";
  static override description = `Makes a key here, has its public half signed, and writes both. The login is audited, can be locked, and ends when the user is removed, like any other. It
lasts as long as asked for, at most as long as the user's roles allow; on the gateway's own machine, 30h at most. For CI, bots need no such file: tctl bots add.
With --host: the certificate of a host that is looked after by hand, for sshd's HostCertificate; hosts that joined (tctl nodes add) renew theirs themselves.`;
  static override examples = [
    "<%= config.bin %> auth sign --user=ci --ttl=1h --out=ci.pem",
    { description: "For ssh -i", command: "<%= config.bin %> auth sign --user=ci --format=openssh --out=id_ci" },
    { description: "For a host's own key: writes ssh_host_ed25519_key-cert.pub", command: "<%= config.bin %> auth sign --host=db-1,db-1.example.com --key=ssh_host_ed25519_key.pub" },
    { description: "For kubectl --kubeconfig", command: "<%= config.bin %> auth sign --user=ci --format=kubernetes --out=ci.kubeconfig" },
  ];
  static override flags = {
    ...connectFlags,
    user: Flags.string({ summary: "The user, who exists", helpValue: "<name>" }),
    host: Flags.string({ summary: "Instead of a user: names that a host is met by", helpValue: "<name,…>", exclusive: ["user", "format"] }),
    key: Flags.string({ summary: "With --host: file of its public key; else a key is made here", helpValue: "<file>", dependsOn: ["host"] }),
    out: Flags.string({ char: "o", summary: "File to write", helpValue: "<file>" }),
    format: Flags.option({ options: identityFormats, default: "file" as const, summary: "One file for tsh -i and tctl -i; a key and FILE-cert.pub; a kubeconfig; or FILE.key, .crt, .cas" })(),
    ttl: Flags.string({ summary: "How long the login shall last, 1h where left out; a host's certificate, 90 days", helpValue: "<duration>" }),
    force: Flags.boolean({ char: "f", summary: "Write over files that are there" }),
  };

  /** Makes the key, has it signed, writes. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AuthSign);
    if (flags.host !== undefined) {
      await this.signHost({ ...flags, host: flags.host });
      return;
    }
    const { user } = flags;
    if (user === undefined) throw new GatehouseError("usage", "for whom?", { hint: "--user=NAME, or --host=NAME" });
    if (flags.out === undefined) throw new GatehouseError("usage", "--out names the file to write");
    const ttl = durationFlag("--ttl", flags.ttl ?? "1h", { min: limits.minCertificateTtl, max: limits.maxCertificateTtl, words: "1 min to 30 h" });
    const out = resolve(flags.out);
    const paths = identityPaths(flags.format, out);
    if (!flags.force) await refuseExisting(paths);
    await refuseUnwritable(paths);
    const admin = await this.connect(flags);
    const key = await newKey();
    const { login, proxy, session, account } = await admin.sign(user, { public_key: Buffer.from(key.line).toString("base64"), ttl: Math.round(ttl) });
    const now = systemClock.now();
    const record = verifyLogin(login, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: flags.proxy ?? proxy, user, now, gatewayNow: undefined });
    const files = identityFiles(flags.format, out, record, accountOf(account, record.proxy));
    await writeIdentityFiles(files);
    this.done(`${files.map(({ path }) => escapeLine(path)).join(", ")}: ${escapeLine(record.username)}, until ${describeEnd(record.expires, now)}`);
    if (record.expires < now + ttl - slack) this.note([`${user} may have no login of ${flags.ttl ?? "1h"}: their roles, or their own end, allow no more`]);
    this.output.stderr.write(`  ${this.output.style.yellow("whoever has the private key in it is that user until then:")} keep it to yourself\n  to end it before: tctl lock --session=${session}\n`);
  }
  private async signHost(flags: HostFlags): Promise<void> {
    const ttl = durationFlag("--ttl", flags.ttl ?? "2160h", { min: 60_000, max: 8784 * 3_600_000, words: "1 min to 366 days" });
    const files = await prepareHostFiles(flags);
    const signed = await (await this.connect(flags)).signHost({ public_key: Buffer.from(files.publicKey).toString("base64"), names: splitNames(flags.host), ttl: Math.round(ttl) });
    const written = await files.write(signed.certificate);
    this.done(`${written.map(escapeLine).join(", ")}: ${signed.principals.map(escapeLine).join(", ")}, until ${describeEnd(signed.expires, systemClock.now())}`);
  }
}
