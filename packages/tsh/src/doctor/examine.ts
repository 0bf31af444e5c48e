import { clientHome, type Environment } from "@gatehouse/core/client";
import { checkAgent } from "./agent.ts";
import { checked, type Finding, type Found } from "./finding.ts";
import { checkClock, checkGateway, checkSession, networkLimit, reach } from "./gateway.ts";
import { checkKubeconfig, checkKubectl } from "./kubernetes.ts";
import { checkKeystore, checkLogin } from "./login.ts";
import { checkHome, checkNode, programLimit } from "./machine.ts";
import { meet } from "./patient.ts";
import { checkSsh, checkSshConfig } from "./ssh.ts";

/** What is examined. */
export interface ExamineOptions {
  readonly env: Environment;
  /** `--proxy`. */
  readonly proxy: string | undefined;
  /** ms since the epoch. */
  readonly now: number;
}

/** ms that a keychain, and whoever waits for it, may take: it has five seconds itself. */
const keystoreLimit = 6000;

/** Looks at everything, all at once, in seconds. Changes nothing. Throws `usage` for a gateway's address that is none. */
export async function examine({ env, now, proxy }: ExamineOptions): Promise<readonly Finding[]> {
  const patient = await meet({ env, home: clientHome(env), proxy, now });
  const reached = reach(patient);
  // Two checks look at how it ended.
  reached.catch(() => undefined);
  const checks: readonly (readonly [name: string, limit: number, work: () => Promise<Found>])[] = [
    ["gateway", networkLimit, () => checkGateway(patient, reached)],
    ["clock", networkLimit, () => checkClock(reached)],
    ["login", keystoreLimit, () => checkLogin(patient)],
    ["session", keystoreLimit + networkLimit, () => checkSession(patient, reached)],
    ["keystore", keystoreLimit, () => checkKeystore(patient)],
    ["agent", networkLimit + 500, () => checkAgent(patient)],
    ["kubeconfig", keystoreLimit + programLimit, () => checkKubeconfig(patient)],
    ["kubectl", programLimit, () => checkKubectl(patient)],
    ["ssh", programLimit, () => checkSsh(patient)],
    ["ssh config", keystoreLimit, () => checkSshConfig(patient)],
    ["files", programLimit, () => checkHome(patient)],
    ["node", programLimit, () => Promise.resolve(checkNode(process.version))],
  ];
  return Promise.all(checks.map(([name, limit, work]) => checked(name, limit, work)));
}
