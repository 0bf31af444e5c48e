import { GatehouseError, type Clock } from "../../base/index.ts";
import { formatExecCredential, parseExecInfo, type ExecInfo } from "./exec-info.ts";
import { readIdentityFile } from "./identity-file.ts";
import { clientHome, type Environment } from "./home.ts";
import { obtainLogin } from "./obtain-login.ts";
import { openRefusals } from "./refusals.ts";

/** What the credentials of a login are asked with. */
export interface CredentialsOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
  /** Identity file to answer from, absolute; undefined for one's own login. */
  readonly identity?: string | undefined;
  /** Process that waits for the answer: kubectl. */
  readonly parent: number;
  /** See `ObtainOptions`. */
  readonly group?: (() => Promise<string | undefined>) | undefined;
  /** Whether a terminal can be asked, apart from what kubectl says. */
  readonly hasTerminal: () => Promise<boolean>;
  /** Whether the person ran this by hand on a terminal. */
  readonly stdinIsTerminal: () => boolean;
  /** Logs in to this gateway and stores the result, with everything said on the terminal device. */
  readonly login: (proxy: string, auth: string | undefined) => Promise<void>;
}

/** What to print and how to end. */
export interface CredentialsAnswer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The certificate of an identity file: whoever made the file renews it, so nobody is asked to log in. What is wrong is told once per parent process in 30 s. */
async function fromIdentity(path: string, info: ExecInfo | undefined, options: CredentialsOptions): Promise<CredentialsAnswer> {
  const refusals = openRefusals(clientHome(options.env).refusals, "identity");
  const parent = `parent-${options.parent}`;
  try {
    const record = await readIdentityFile(path, { env: options.env, proxy: options.proxy, now: options.clock.now() });
    return { stdout: formatExecCredential(record, info), stderr: "", exitCode: 0 };
  } catch (error) {
    if (!(error instanceof GatehouseError) || (await refusals.mark(parent))) throw error;
    return { stdout: "", stderr: "", exitCode: error.exitCode };
  }
}

/**
 * What `tsh kube credentials` answers kubectl: the stored certificate while it is good, without touching the network. Else one login on the
 * terminal where kubectl allows questions and there is a terminal, or a refusal with exit code 3, said once per parent process in 30 s.
 */
export async function kubeCredentials(options: CredentialsOptions): Promise<CredentialsAnswer> {
  const info = parseExecInfo(options.env["KUBERNETES_EXEC_INFO"]);
  if (options.identity !== undefined) return fromIdentity(options.identity, info, options);
  const mayAsk = async (): Promise<boolean> => (info === undefined ? options.stdinIsTerminal() : info.interactive) && (await options.hasTerminal());
  const found = await obtainLogin({ ...options, mayAsk });
  return found.record === undefined ? { stdout: "", stderr: found.line, exitCode: 3 } : { stdout: formatExecCredential(found.record, info), stderr: found.line, exitCode: 0 };
}
