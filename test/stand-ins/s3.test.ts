import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openAuditLog, type OwnAuditLog, type WitnessOptions } from "@gatehouse/core/audit";
import { nullLogger, systemClock } from "@gatehouse/core/base";
import { startS3, type S3 } from "./s3.ts";

let folder: string;
let s3: S3;
let log: OwnAuditLog;
const credentials = { bucket: "audit", accessKeyId: "AKIAEXAMPLE", secretKey: "not-a-real-secret", region: "eu-central-1" };

async function open(secret: string): Promise<OwnAuditLog> {
  const secretKeyFile = join(folder, "secret");
  await writeFile(secretKeyFile, `${secret}\n`);
  const { bucket, accessKeyId, region } = credentials;
  const witness: WitnessOptions = { type: "s3", endpoint: s3.url, region, bucket, prefix: "logs/", accessKeyId, secretKeyFile, lockMs: 3_600_000, lockMode: "COMPLIANCE" };
  return openAuditLog({ directory: join(folder, "log"), serverId: "gw1", clock: systemClock, logger: nullLogger, sync: "group", witnesses: [witness] });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-s3-"));
  s3 = await startS3(credentials);
});
afterEach(async () => {
  await log.close();
  await s3.close();
  await rm(folder, { recursive: true });
});

it("checkpoints become locked objects, signed for; what a bucket that is down missed comes later", async () => {
  log = await open(credentials.secretKey);
  s3.down = true;
  await log.emit({ event: "test", code: "G9999I" });
  await log.checkpoint();
  await vi.waitFor(() => expect(log.status().witnesses[0]).toMatchObject({ waiting: 1, problem: expect.stringContaining("503") as string }));
  s3.down = false;
  await log.checkpoint();
  await vi.waitFor(() => expect(s3.objects.size).toBe(2));
  for (const { key, body, lockMode, lockedUntil } of s3.objects.values()) {
    expect(key).toMatch(/^logs\/gw1\/\d{4}-.*\.json$/);
    expect(body.toString()).toMatch(/^\{"event":"audit\.checkpoint".*\}\n$/);
    expect(lockMode).toBe("COMPLIANCE");
    expect(Date.parse(lockedUntil!)).toBeGreaterThan(Date.now());
  }
  await vi.waitFor(() => expect(log.status().witnesses[0]).toMatchObject({ waiting: 0, lag: 0, problem: undefined }));
});

it("another secret is refused", async () => {
  log = await open("wrong");
  await log.emit({ event: "test", code: "G9999I" });
  await log.checkpoint();
  await vi.waitFor(() => expect(log.status().witnesses[0]!.problem).toContain("SignatureDoesNotMatch"));
  expect(s3.objects.size).toBe(0);
});
