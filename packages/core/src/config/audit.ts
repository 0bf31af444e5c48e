import { boundedDuration, duration } from "./values.ts";
import { listOf, oneOf, parsed, section, text, type Place, type Reader, type Reading } from "./reader.ts";
import type { WitnessConfig } from "./types.ts";

const dayMs = 86_400_000;

/** A URL of this scheme, without credentials, path or query. */
function origin(schemes: readonly string[]): Reader<string> {
  return parsed((value) => {
    const problem = { problem: `is not ${schemes.join(" or ")}host[:port]` };
    if (!URL.canParse(value) || !schemes.some((scheme) => value.startsWith(scheme))) return problem;
    const url = new URL(value);
    return url.username === "" && url.password === "" && /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "" ? url.origin : problem;
  });
}

const syslogAddress = parsed((value) =>
  /^(?:(?:udp|tcp):\/\/(?:\[[0-9a-fA-F:]+\]|[^:/[\]]+):\d{1,5}|unix:\/\/\/.+)$/.test(value) ? value : { problem: "is not udp://host:port, tcp://host:port or unix:///path" },
);
/** As a file of the receiving gateway is called. */
const witnessName = parsed((value) => (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value) ? value : { problem: "is not a name: 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first" }));
const bucketName = parsed((value) => (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) ? value : { problem: "is not the name of a bucket" }));
const keyPrefix = parsed((value) => (/^[A-Za-z0-9!_.*'()/-]{1,512}$/.test(value) ? value : { problem: "is not a prefix of keys: letters, digits and ! _ . * ' ( ) / - alone" }));

const fields = section({
  type: oneOf(["file", "syslog", "gateway", "s3"]),
  path: text,
  address: syslogAddress,
  url: origin(["https://"]),
  ca_file: text,
  name: witnessName,
  token_file: text,
  endpoint: origin(["https://", "http://"]),
  region: text,
  bucket: bucketName,
  prefix: keyPrefix,
  access_key_id: text,
  secret_key_file: text,
  lock_for: duration,
  lock_mode: oneOf(["compliance", "governance"]),
});
type Fields = NonNullable<ReturnType<typeof fields>>;

/** Keys of each type: needed, and possible. */
const keysOf = {
  file: { needed: ["path"], possible: [] },
  syslog: { needed: ["address"], possible: [] },
  gateway: { needed: ["url", "ca_file", "name", "token_file"], possible: [] },
  s3: { needed: ["endpoint", "bucket", "access_key_id", "secret_key_file"], possible: ["region", "prefix", "lock_for", "lock_mode", "ca_file"] },
} as const satisfies Readonly<Record<string, { readonly needed: readonly (keyof Fields)[]; readonly possible: readonly (keyof Fields)[] }>>;

function checkKeys(reading: Reading, place: Place, given: Fields): boolean {
  if (given.type === undefined) {
    if (!("type" in given)) reading.problem(place, "has no type: file, syslog, gateway or s3");
    return false;
  }
  const { needed, possible }: { readonly needed: readonly string[]; readonly possible: readonly string[] } = keysOf[given.type];
  const known = new Set(["type", "at", ...needed, ...possible]);
  let good = true;
  for (const key of needed) {
    if (key in given) continue;
    reading.problem(place, `a witness of type ${given.type} needs ${key}`);
    good = false;
  }
  for (const key of Object.keys(given)) {
    if (known.has(key)) continue;
    reading.problem(place, `a witness of type ${given.type} has no ${key}`);
    good = false;
  }
  return good && Object.entries(given).every(([, value]) => value !== undefined);
}

const witness: Reader<WitnessConfig> = (reading, place) => {
  const given = fields(reading, place);
  if (!given || !checkKeys(reading, place, given)) return undefined;
  const { path = "", address = "", url = "", ca_file: caFile, name = "", token_file: tokenFile = "" } = given;
  if (given.type === "file") return { type: "file", path };
  if (given.type === "syslog") return { type: "syslog", address };
  if (given.type === "gateway") return { type: "gateway", url, caFile: caFile ?? "", name, tokenFile };
  const { endpoint = "", region = "us-east-1", bucket = "", prefix = "", access_key_id: accessKeyId = "", secret_key_file: secretKeyFile = "", lock_for: lockMs = 0 } = given;
  return { type: "s3", endpoint, region, bucket, prefix, accessKeyId, secretKeyFile, lockMs, lockMode: given.lock_mode === "governance" ? "GOVERNANCE" : "COMPLIANCE", caFile };
};

const witnessedBy = section({ name: witnessName, token_file: text });
const witnessed: Reader<{ readonly name: string; readonly tokenFile: string }> = (reading, place) => {
  const { name, token_file: tokenFile } = witnessedBy(reading, place) ?? {};
  if (name !== undefined && tokenFile !== undefined) return { name, tokenFile };
  reading.problem(place, "needs the name of the other gateway and the token_file that holds its token");
  return undefined;
};

/** `audit`. */
export const audit = section({
  sync: oneOf(["group", "strict"]),
  recording: oneOf(["strict", "best_effort"]),
  witnesses: listOf(witness),
  witness_for: listOf(witnessed),
  retention: boundedDuration(dayMs, "a day, or never"),
});
