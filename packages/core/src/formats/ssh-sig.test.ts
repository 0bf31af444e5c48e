import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { requireTool } from "../testing/index.ts";
import { SshReader, SshWriter, parseAuthorizedKey, verifySshSig } from "./index.ts";

const run = promisify(execFile);
const armour = (bytes: Buffer): string => `-----BEGIN SSH SIGNATURE-----\n${bytes.toString("base64")}\n-----END SSH SIGNATURE-----\n`;

describe.skipIf(!requireTool("ssh-keygen", "apt-get install openssh-client"))("signatures of ssh-keygen -Y sign", () => {
  let directory: string;
  const message = Buffer.from("what has to be signed\n");
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-sshsig-"));
    await writeFile(join(directory, "message"), message);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function sign(type: readonly string[]): Promise<{ readonly text: string; readonly key: Buffer }> {
    const file = join(directory, type.join("-"));
    await run("ssh-keygen", ["-q", "-N", "", "-t", ...type, "-f", file]);
    await run("ssh-keygen", ["-q", "-Y", "sign", "-n", "gatehouse", "-f", file, join(directory, "message")]);
    const text = await readFile(join(directory, "message.sig"), "utf8");
    await rm(join(directory, "message.sig"));
    return { text, key: parseAuthorizedKey(await readFile(`${file}.pub`, "utf8")).blob };
  }

  it.each([[["ed25519"]], [["ecdsa", "-b", "256"]], [["ecdsa", "-b", "521"]], [["rsa", "-b", "2048"]]])("of %s keys are checked", async (type) => {
    const { text, key } = await sign(type);
    expect(verifySshSig(text, message, "gatehouse")).toEqual(key);
    expect(verifySshSig(text.replaceAll("\n", "\r\n"), message, "gatehouse")).toEqual(key);
    expect(() => verifySshSig(text, Buffer.from("what has to be signed"), "gatehouse")).toThrow(expect.objectContaining({ code: "access_denied" }) as Error);
    expect(() => verifySshSig(text, message, "file")).toThrow(/its namespace is another one/);
  });

  it("of any damage are told", async () => {
    const { text } = await sign(["ed25519", "-C", "x"]);
    const bytes = Buffer.from(text.split("\n").slice(1, -2).join(""), "base64");
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(bytes.length - 1), (at, flip, cut) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        for (const each of [damaged, bytes.subarray(0, cut), Buffer.concat([bytes, Buffer.of(flip)])]) expect(() => verifySshSig(armour(each), message, "gatehouse")).toThrow(GatehouseError);
      }),
    );
    const reader = new SshReader(bytes.subarray(10), "test");
    const [key, namespace] = [reader.string(), reader.string()];
    const forged = (hash: string, reserved: string): string => armour(new SshWriter().raw(Buffer.from("SSHSIG")).uint32(1).string(key).string(namespace).string(reserved).string(hash).string(bytes.subarray(-83)).toBuffer());
    expect(() => verifySshSig(forged("sha1", ""), message, "gatehouse")).toThrow(/its hash "sha1" is not known/);
    expect(() => verifySshSig(forged("sha512", "x"), message, "gatehouse")).toThrow(/reserved/);
  });

  it.each(["", "x", "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----\n", armour(Buffer.alloc(20)), "x".repeat(20_000)])("are not %j", (text) => {
    expect(() => verifySshSig(text, message, "gatehouse")).toThrow(expect.objectContaining({ code: "bad_parameter" }) as Error);
  });
});
