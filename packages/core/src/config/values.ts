import { createHash } from "node:crypto";
import { GatehouseError, parseDuration } from "../base/index.ts";
import { parseListenAddress, parsePublicAddress } from "./address.ts";
import { rangeProblem } from "../formats/index.ts";
import { listOf, parsed, textMap, type Reader } from "./reader.ts";

/** A cluster's name is in TLS server names as hex; with its suffix that must stay under 255 bytes. */
const clusterNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,114}$/;
const kubeNamePattern = /^[A-Za-z0-9._-]{1,31}$/;

/** What is wrong with a cluster's name, if anything. */
export function clusterNameProblem(name: string): string | undefined {
  return clusterNamePattern.test(name) ? undefined : "is not a cluster name: 1 to 115 letters, digits, dots, dashes and underscores, a letter or digit first";
}

/** What is wrong with the name of a Kubernetes cluster, if anything. */
export function kubeNameProblem(name: string): string | undefined {
  return kubeNamePattern.test(name) ? undefined : "is not a name for a Kubernetes cluster: 1 to 31 letters, digits, dots, dashes and underscores";
}

const kubeNameLength = 31;
const markLength = 6;

/** Ends a name with six hex digits of what it was made from, so that two that look alike differ. The end of a long name is what tells it from others. */
function marked(name: string, source: string): string {
  const mark = createHash("sha256").update(source).digest("hex").slice(0, markLength);
  const room = kubeNameLength - markLength - 1;
  const kept = name.length <= room ? name : name.slice(-room).replace(/^[A-Za-z0-9]*[._-]+(?=.{8})/, "");
  return `${kept.replace(/^[._-]+|[._-]+$/g, "")}-${mark}`.replace(/^-/, "");
}

/**
 * A name for a Kubernetes cluster out of any text, such as the name of a context: what a name cannot have becomes a dash, and a long one keeps its
 * end and gets a mark. `distinct` marks it in any case. The same text gives the same name.
 */
export function fitKubeName(source: string, distinct = false): string {
  if (!distinct && kubeNamePattern.test(source)) return source;
  const name = source.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "");
  return distinct || name.length > kubeNameLength || name === "" ? marked(name, source) : name;
}

export const clusterName: Reader<string> = parsed((text) => {
  const problem = clusterNameProblem(text);
  return problem === undefined ? text : { problem };
});

export const kubeName: Reader<string> = parsed((text) => {
  const problem = kubeNameProblem(text);
  return problem === undefined ? text : { problem };
});

export const listenAddress = (defaultPort: number) => parsed((text) => parseListenAddress(text, defaultPort));

export const publicAddresses = (defaultPort: number) => listOf(parsed((text) => parsePublicAddress(text, defaultPort)));

/** Ranges of addresses (`10.0.0.0/8`), or single ones. */
export const addressRanges = listOf(
  parsed((text) => {
    const problem = rangeProblem(text);
    return problem === undefined ? text : { problem };
  }),
);

/** Milliseconds; `never` and `0` are 0. */
export const duration: Reader<number> = parsed((text) => {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof GatehouseError) return { problem: "is not a duration: write it as 30m, 12h or 1h30m0s, or never" };
    throw error;
  }
});

/** Milliseconds, at least so many; `never` and `0` are 0. */
export const boundedDuration =
  (min: number, words: string): Reader<number> =>
  (reading, place) => {
    const ms = duration(reading, place);
    if (ms === undefined || ms === 0 || ms >= min) return ms;
    reading.problem(place, `must be at least ${words}`);
    return undefined;
  };

export const caPin: Reader<string> = parsed((text) => (/^sha256:[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : { problem: "is not sha256: and 64 hex digits" }));

/** Labels of a Kubernetes cluster, keys as v3 takes them. */
export const labels: Reader<Readonly<Record<string, string>>> = (reading, place) => {
  const map = textMap(reading, place);
  const wrong = Object.keys(map ?? {}).find((key) => !/^[A-Za-z0-9/._*-]{1,128}$/.test(key));
  if (wrong === undefined) return map;
  reading.problem(place, `"${wrong}" is not a label: letters, digits and / . _ * - alone`);
  return undefined;
};
