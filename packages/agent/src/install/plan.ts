import { homedir } from "node:os";
import { join } from "node:path";
import { GatehouseError } from "@gatehouse/core/base";
import type { ClientHome, Environment } from "@gatehouse/core/client/lean";

/** What the system shall start, and for whom. */
export interface ServiceOptions {
  readonly env: Environment;
  readonly home: ClientHome;
  /** The launcher: it leads to the command that was there last, whatever Node is current, and gives Node what it is given for the agent. */
  readonly launcher: string;
  readonly uid: number | undefined;
}

/** What is written and run for that. */
export interface ServicePlan {
  /** What the system is called in messages. */
  readonly system: string;
  readonly file: { readonly path: string; readonly text: string } | undefined;
  readonly enable: readonly (readonly string[])[];
  readonly disable: readonly (readonly string[])[];
}

const words = ["agent", "run", "--log-file"];

/** One word that is read as it is, but for variables (systemd.syntax(7)). */
const systemdText = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")}"`;

/** The words of ExecStart: variables are looked for in all but the first (systemd.service(5)). */
const systemdCommand = ([file = "", ...args]: readonly string[]): string => [systemdText(file), ...args.map((word) => systemdText(word).replaceAll("$", "$$$$"))].join(" ");

function systemd({ env, home, launcher }: ServiceOptions): ServicePlan {
  const unit = "gatehouse-agent.service";
  const config = env["XDG_CONFIG_HOME"] ?? "";
  const folder = join(config.startsWith("/") ? config : join(env["HOME"] ?? homedir(), ".config"), "systemd/user");
  const text = [
    "[Unit]",
    "Description=Local agent of Gatehouse: logins in memory, for ssh and kubectl",
    "",
    "[Service]",
    `ExecStart=${systemdCommand([launcher, ...words])}`,
    ...(home.isDefault ? [] : [`Environment=${systemdText(`TELEPORT_HOME=${home.path}`)}`]),
    "UnsetEnvironment=NODE_OPTIONS",
    "LimitCORE=0",
    "Restart=on-failure",
    // One that commands started is there already.
    "RestartPreventExitStatus=6",
    "SuccessExitStatus=6",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
  return {
    system: "systemd",
    file: { path: join(folder, unit), text },
    enable: [["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", unit]],
    disable: [["systemctl", "--user", "disable", unit]],
  };
}

const xml = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function launchd({ env, home, launcher, uid = 0 }: ServiceOptions): ServicePlan {
  const label = "dev.gatehouse.agent";
  const path = join(env["HOME"] ?? homedir(), "Library/LaunchAgents", `${label}.plist`);
  const strings = [launcher, ...words].map((word) => `    <string>${xml(word)}</string>`);
  const text = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    `  <key>Label</key><string>${label}</string>`,
    "  <key>ProgramArguments</key>",
    "  <array>",
    ...strings,
    "  </array>",
    ...(home.isDefault ? [] : [`  <key>EnvironmentVariables</key><dict><key>TELEPORT_HOME</key><string>${xml(home.path)}</string></dict>`]),
    "  <key>RunAtLoad</key><true/>",
    "  <key>ProcessType</key><string>Background</string>",
    "  <key>SoftResourceLimits</key><dict><key>Core</key><integer>0</integer></dict>",
    "  <key>HardResourceLimits</key><dict><key>Core</key><integer>0</integer></dict>",
    "</dict>",
    "</plist>",
    "",
  ].join("\n");
  return { system: "launchd", file: { path, text }, enable: [["launchctl", "bootstrap", `gui/${uid}`, path]], disable: [["launchctl", "bootout", `gui/${uid}/${label}`]] };
}

/** One word of a command line as `CommandLineToArgvW` reads it. */
const windowsWord = (text: string): string => `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;

function taskScheduler({ launcher }: ServiceOptions): ServicePlan {
  const name = "Gatehouse agent";
  const line = [launcher, ...words].map(windowsWord).join(" ");
  return {
    system: "the task scheduler",
    file: undefined,
    enable: [["schtasks", "/Create", "/F", "/SC", "ONLOGON", "/RL", "LIMITED", "/TN", name, "/TR", line]],
    disable: [["schtasks", "/Delete", "/F", "/TN", name]],
  };
}

/** How the agent is started at every login on this system. Throws `not_implemented` where nobody knows how. */
export function planService(platform: NodeJS.Platform, options: ServiceOptions): ServicePlan {
  switch (platform) {
    case "linux":
      return systemd(options);
    case "darwin":
      return launchd(options);
    case "win32":
      return taskScheduler(options);
    default:
      throw new GatehouseError("not_implemented", `there is no way yet to start the agent at login on ${platform}`, { hint: "commands start it by themselves" });
  }
}
