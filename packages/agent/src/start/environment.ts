import type { Environment } from "@gatehouse/core/client/lean";

/** What the agent, its browser and its notifications need of a person's environment. Nothing else of the shell that happened to start it stays alive with it. */
const kept = new Set([
  ...["HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"],
  ...["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "BROWSER", "GNOME_KEYRING_CONTROL"],
  ...["SSH_AUTH_SOCK", "SSH_CONNECTION", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "KUBECONFIG", "TELEPORT_HOME", "TELEPORT_LOGIN_BIND_ADDR"],
  ...["NODE_EXTRA_CA_CERTS", "NODE_NO_WARNINGS", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["SYSTEMROOT", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "HOMEDRIVE", "HOMEPATH", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME"],
]);
const keptPrefixes = ["LC_", "XDG_", "WSL_"];

/** The environment that the agent is started with. Without `NODE_OPTIONS`: a debugger of the shell's has no business in a process that holds keys. */
export function agentEnvironment(env: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => kept.has(name.toUpperCase()) || keptPrefixes.some((prefix) => name.startsWith(prefix))));
}
