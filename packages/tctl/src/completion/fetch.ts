import { systemClock } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client";
import { keepNames } from "@gatehouse/core/client/completion";
import { fetchAdminNames, readFetchWords } from "@gatehouse/core/client/names";
import { connect } from "../connect.ts";

/** `tctl __names`, which completion runs beside itself: asks the gateway for names and keeps them. Returns the exit code. */
export async function fetchAndKeep(args: readonly string[]): Promise<number> {
  const { key, kinds, flags } = readFetchWords(args);
  const admin = await connect({ dataDir: flags["data-dir"], config: flags["config"], proxy: flags["proxy"], identity: flags["identity"] }, process.env);
  await keepNames(clientHome(process.env), key, await fetchAdminNames(admin, kinds), systemClock);
  return 0;
}
