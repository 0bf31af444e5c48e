import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openOwnFolder, type ClientHome, type LoginRecord } from "../lean/index.ts";
import { commandWord, configWord, trustLines } from "./config-block.ts";
import { knownHostsText } from "./known-hosts.ts";

/** One host that a program of OpenSSH is to be run against. */
export interface RunHost {
  /** What it is called on the program's command line. */
  readonly shown: string;
  /** What the gateway is asked for. */
  readonly target: string;
  readonly login: string;
  readonly port: number | undefined;
  /** The name that the host's certificate has to have. */
  readonly name: string;
  /** Words for `tsh proxy ssh` beside the usual ones. */
  readonly flags?: readonly string[] | undefined;
}

/** Files for runs of OpenSSH's programs by one command, gone with it. */
export interface RunFolder {
  readonly path: string;
  /** Writes what one run needs. */
  prepare(...hosts: readonly RunHost[]): Promise<PreparedRun>;
  remove(): Promise<void>;
}

/** What a program of OpenSSH is started with. */
export interface PreparedRun {
  /** For `-F`. */
  readonly config: string;
  /** Holds the exit code of a `tsh proxy ssh` that was refused; absent otherwise. */
  readonly status: string;
}

/** How `tsh proxy ssh` is run from inside. */
export interface RunProgram {
  readonly node: string;
  readonly script: string;
}

/** Makes a folder of this process, which its owner alone can enter. `identity`: the identity file that the login came from. */
export async function openRunFolder(home: ClientHome, record: LoginRecord, program: RunProgram, identity: string | undefined): Promise<RunFolder> {
  const { path, remove } = await openOwnFolder(home.sshAgents);
  const knownHosts = join(path, "known_hosts");
  await writeFile(knownHosts, knownHostsText(record), { mode: 0o600 });
  let count = 0;
  return {
    path,
    async prepare(...hosts) {
      const own = join(path, String(count++));
      const [config, status] = [`${own}.config`, `${own}.status`];
      const blocks = hosts.map(({ shown, target, login, port, name, flags = [] }, index) => {
        const agent = `${own}.${index}`;
        const words = [program.node, program.script, "proxy", "ssh", identity === undefined ? `--proxy=${record.proxy}` : `--identity=${identity}`, `--login=${login}`, `--agent-path=${agent}`, `--status-file=${status}`, ...flags];
        const place = `[${target}]${port === undefined ? "" : `:${port}`}`;
        return `Host ${configWord(shown, false)}
${trustLines(knownHosts)}  HostKeyAlias ${configWord(name, false)}
  User ${configWord(login, false)}
  IdentityAgent ${configWord(agent, true)}
  ControlPath none
  ProxyCommand ${[...words, place].map(commandWord).join(" ")}
`;
      });
      await writeFile(config, blocks.join(""), { mode: 0o600 });
      return { config, status };
    },
    remove,
  };
}
