import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GatehouseError, systemErrorCode, uuid } from "../../base/index.ts";

/** This gateway's own id, a UUID made at the first start and kept in `<dataDir>/host_uuid` (as v3 does). */
export async function readHostId(dataDir: string): Promise<string> {
  const path = join(dataDir, "host_uuid");
  try {
    const id = (await readFile(path, "utf8")).trim();
    if (/^[0-9a-f-]{36}$/.test(id)) return id;
    throw new GatehouseError("bad_parameter", `${path} does not hold a UUID`, { hint: "restore it from a backup, or remove it: the gateway then takes a new id" });
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
  const id = uuid();
  const fresh = `${path}.new`;
  await writeFile(fresh, `${id}\n`, { mode: 0o600 });
  await rename(fresh, path);
  return id;
}
