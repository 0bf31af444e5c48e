import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { applyOverrides, defaultDataDir, loadConfig, parseGatewayOptions, type GatewayConfig, type HostFacts } from "./index.ts";

const host: HostFacts = { env: {}, uid: 0, hostname: "gate1", homeDirectory: "/home/ana" };
const load = (text: string, facts: Partial<HostFacts> = {}): GatewayConfig => loadConfig(text, "teleport.yaml", { ...host, ...facts });
function problem(text: string, facts: Partial<HostFacts> = {}): string {
  try {
    load(text, facts);
  } catch (error) {
    expect(error).toBeInstanceOf(GatehouseError);
    return (error as GatehouseError).message;
  }
  throw new Error("loaded");
}

const guide = `
proxy_service:
  kubernetes:
    enabled: yes
    public_addr: [teleport.example.com:3026]
    kubeconfig_file: /path/to/kubeconfig
`;

describe("teleport.yaml", () => {
  it("of the guide loads", () => {
    const config = load(guide);
    expect(config.warnings).toEqual([]);
    expect(config.kubernetes).toEqual({
      enabled: true,
      unnamed: true,
      labels: {},
      listen: { host: "0.0.0.0", port: 3026 },
      publicAddrs: [{ host: "teleport.example.com", port: 3026 }],
      kubeconfigFile: "/path/to/kubeconfig",
      clusters: [],
    });
  });

  it.each(["", "# nothing\n", "---\n", "teleport:\nauth_service: ~\nproxy_service: null\n"])("that says nothing (%j) is all defaults", (text) => {
    const config = load(text);
    expect(config).toMatchObject({
      nodeName: "gate1",
      clusterName: "gate1",
      dataDir: "/var/lib/teleport",
      web: { listen: { host: "0.0.0.0", port: 3080 }, publicAddrs: [], httpsKeyFile: undefined, httpsCertFile: undefined },
      ssh: { listen: { host: "0.0.0.0", port: 3023 } },
      admin: { listen: { host: "0.0.0.0", port: 3025 } },
      diag: undefined,
      kubernetes: { enabled: false, clusters: [] },
      authentication: { type: "local", secondFactor: "off", rpId: undefined, requireSessionMfa: false, connectorName: undefined, localAuth: true },
      log: { output: "stderr", severity: "info" },
      audit: { sync: "group", recording: "strict", witnesses: [], witnessFor: [], retention: 0 },
      clientIdleTimeout: 0,
      maxStaleness: 5000,
      warnings: [],
    });
  });

  it("is read key by key", () => {
    const pin = `sha256:${"Ab".repeat(32)}`;
    const config = load(`
teleport:
  nodename: gateway-1
  data_dir: /data
  ca_pin: ${pin}
  diag_addr: 127.0.0.1
  connection_limits: { max_connections: 500 }
  log: { output: /var/log/gatehouse.log, severity: WARNING }
auth_service:
  enabled: yeah
  cluster_name: 1234
  listen_addr: tcp://[::1]:0
  public_addr: auth.example.com
  client_idle_timeout: 1h30m
  disconnect_expired_cert: nope
  max_staleness: 2s
  authentication: { type: github, second_factor: off, connector_name: github, local_auth: no }
proxy_service:
  enabled: 1
  proxy_protocol: off
  listen_addr: ":4023"
  web_listen_addr: ::1
  https_key_file: /k.pem
  https_cert_file: /c.pem
  public_addr: [a.example.com, "b.example.com:443"]
  ssh_public_addr: ssh.example.com
  kubernetes:
    enabled: on
    listen_addr: 10.0.0.1:6443
    kubeconfig_file: /shared
    labels: { team: platform, env: none }
    clusters:
      - { name: prod, context: p, labels: { env: prod } }
      - name: staging
        kubeconfig_file: /staging
ssh_service: { enabled: no }
audit: { sync: strict, recording: best_effort }
`);
    expect(config).toEqual({
      nodeName: "gateway-1",
      clusterName: "1234",
      dataDir: "/data",
      web: {
        listen: { host: "::1", port: 3080 },
        publicAddrs: [
          { host: "a.example.com", port: 3080 },
          { host: "b.example.com", port: 443 },
        ],
        httpsKeyFile: "/k.pem",
        httpsCertFile: "/c.pem",
      },
      ssh: { enabled: true, listen: { host: "0.0.0.0", port: 4023 }, listenImplied: false, publicAddrs: [{ host: "ssh.example.com", port: 3023 }], recording: "proxy", sourceAddresses: [] },
      admin: { listen: { host: "::1", port: 0 }, publicAddrs: [{ host: "auth.example.com", port: 3025 }] },
      diag: { listen: { host: "127.0.0.1", port: 3000 } },
      kubernetes: {
        enabled: true,
        unnamed: false,
        kubeconfigFile: "/shared",
        labels: { team: "platform", env: "none" },
        listen: { host: "10.0.0.1", port: 6443 },
        publicAddrs: [],
        clusters: [
          { name: "prod", kubeconfigFile: "/shared", context: "p", labels: { team: "platform", env: "prod" } },
          { name: "staging", kubeconfigFile: "/staging", context: undefined, labels: { team: "platform", env: "none" } },
        ],
      },
      authentication: { type: "github", secondFactor: "off", rpId: undefined, requireSessionMfa: false, connectorName: "github", localAuth: false },
      caPins: [pin.toLowerCase()],
      log: { output: { file: "/var/log/gatehouse.log" }, severity: "warn" },
      audit: { sync: "strict", recording: "best_effort", witnesses: [], witnessFor: [], retention: 0 },
      clientIdleTimeout: 5_400_000,
      disconnectExpiredCert: false,
      maxStaleness: 2000,
      maxConnections: 500,
      warnings: [expect.stringContaining("disconnect_expired_cert no") as string],
    });
  });

  it.each([
    ["", "strict"],
    ["auth_service: { session_recording: node }", "strict"],
    ["auth_service: { session_recording: proxy }\naudit: { recording: best_effort }", "best_effort"],
    ["audit: { recording: strict }", "strict"],
    ["auth_service: { session_recording: off }", "off"],
    ["auth_service: { session_recording: off }\naudit: { recording: strict }", "off"],
  ])("%j records %s", (text, recording) => {
    const config = load(text);
    expect(config.audit.recording).toBe(recording);
    expect(config.warnings.length).toBe(recording === "off" ? 1 : 0);
  });

  it("says how SSH is done", () => {
    expect(load("").ssh).toEqual({ enabled: true, listen: { host: "0.0.0.0", port: 3023 }, listenImplied: true, publicAddrs: [], recording: "proxy", sourceAddresses: [] });
    const { ssh } = load("proxy_service: { ssh_enabled: no, ssh_listen_addr: 127.0.0.1:1, ssh_recording: off, ssh_source_addresses: [10.0.0.0/8, 192.0.2.1] }");
    expect(ssh).toEqual({ enabled: false, listen: { host: "127.0.0.1", port: 1 }, listenImplied: false, publicAddrs: [], recording: "off", sourceAddresses: ["10.0.0.0/8", "192.0.2.1"] });
    expect(load("proxy_service: { web_listen_addr: 127.0.0.1:443 }").ssh.listen).toEqual({ host: "127.0.0.1", port: 3023 });
    expect(applyOverrides(load(""), { webListenAddr: "[::1]:0", sshPublicAddr: "ssh.example.com" }).ssh).toMatchObject({ listen: { host: "::1", port: 0 }, publicAddrs: [{ host: "ssh.example.com", port: 3023 }] });
    expect(applyOverrides(load("proxy_service: { listen_addr: :1 }"), { webListenAddr: "[::1]:0" }).ssh.listen).toEqual({ host: "0.0.0.0", port: 1 });
    expect(() => load("proxy_service: { ssh_source_addresses: 10.0.0.1/8 }")).toThrow("has bits set behind its first 8");
    expect(() => load("proxy_service: { ssh_listen_addr: :1, listen_addr: :2 }")).toThrow("two names of one thing");
  });

  it("may use aliases", () => {
    const config = load(`proxy_service: { public_addr: &a [x.example.com], ssh_public_addr: *a }`);
    expect(config.ssh.publicAddrs).toEqual([{ host: "x.example.com", port: 3023 }]);
  });
});

describe("a mistake", () => {
  it.each([
    ["proxy_service:\n  kubernets:\n    enabled: yes\n", 'teleport.yaml:2:3 proxy_service.kubernets: unknown key; did you mean "kubernetes"?'],
    ["proxi_service: {}", 'teleport.yaml:1:1 proxi_service: unknown key; did you mean "proxy_service"?'],
    ["proxy_service: { kubernetes: { clusters: [{ name: a, kubeconfig: x }] } }", "proxy_service.kubernetes.clusters[0].kubeconfig: unknown key"],
    ["constructor: {}", "teleport.yaml:1:1 constructor: unknown key"],
    ["teleport: { __proto__: { a: b } }", "teleport.__proto__: unknown key"],
    ["proxy_service: { kubernetes: { enabled: yess } }", '"yess" is neither yes nor no'],
    ["proxy_service: { kubernetes: yes }", "proxy_service.kubernetes: is not a section of keys and values"],
    ["- a", "teleport.yaml:1:1 is not a section of keys and values"],
    ["just text", "teleport.yaml:1:1 is not a section of keys and values"],
    ["auth_service: { enabled: no }", "the gateway cannot run without its auth service"],
    ["proxy_service: { enabled: off }", "the gateway cannot run without its proxy service"],
    ["auth_service: { dynamic_config: yes }", "auth_service.dynamic_config: is gone"],
    ["auth_service: { cluster_name: 'a b' }", '"a b" is not a cluster name'],
    ["auth_service: { cluster_name: [a] }", "is not a single value"],
    ["auth_service: { cluster_name: '' }", "is empty"],
    ["auth_service: { authentication: { type: githb } }", '"githb" is not one of local, github, oidc, saml; did you mean "github"?'],
    ["audit: { recording: off }", '"off" is not one of strict, best_effort'],
    ["auth_service: { client_idle_timeout: 5 }", '"5" is not a duration'],
    ["teleport: { ca_pin: [sha256:ab] }", "teleport.ca_pin[0]"],
    ["teleport: { storage: { type: etcd } }", "state in etcd is not supported"],
    ["teleport: { connection_limits: { max_connections: -1 } }", '"-1" is not a whole number'],
    ["proxy_service: { https_key_file: /k }", "https_key_file and https_cert_file are given together"],
    ["proxy_service: { public_addr: [a.com, '' ] }", "proxy_service.public_addr[1]: is empty"],
    ["proxy_service: { public_addr: [a.com, ] , public_addr: b }", "is not valid YAML"],
    ["proxy_service: { kubernetes: { enabled: yes, clusters: [{ context: a }] } }", "clusters[0]: has no valid name"],
    ["proxy_service: { kubernetes: { clusters: [{ name: a }, { name: a }] } }", 'clusters[1]: is the second one with the name "a"'],
    [`proxy_service: { kubernetes: { clusters: [{ name: ${"a".repeat(32)} }] } }`, "is not a name for a Kubernetes cluster: 1 to 31"],
    ["proxy_service: { kubernetes: { labels: { 'a b': c } } }", '"a b" is not a label'],
    ["proxy_service: { web_listen_addr: *gone }", "the alias *gone stands for nothing"],
    ["? [a]\n: b", "has a key that is not a single word"],
    ["a: b\n---\nc: d", "there is a second document"],
    ['proxy_service:\n  public_addr: ["a.com"]]\n', 'is not valid YAML: teleport.yaml:2:25 unexpected "]"\n  public_addr: ["a.com"]]\n                        ^'],
    ["proxy_service: {\n  public_addr: [a.com\n}", "teleport.yaml:3:"],
  ])("%j is told with its place", (text, message) => {
    expect(problem(text)).toContain(message);
    expect(problem(text)).toMatch(/(?:^|: )teleport\.yaml:\d+:\d+ /);
  });

  it("is told together with the others", () => {
    expect(problem("teleport: { data: x }\nauth_service:\n  enabled: no\n  publc_addr: a\n").split("\n")).toEqual([
      expect.stringMatching(/^teleport\.yaml:1:13 teleport\.data: unknown key/),
      expect.stringMatching(/^teleport\.yaml:3:12 auth_service\.enabled: /),
      expect.stringMatching(/^teleport\.yaml:4:3 auth_service\.publc_addr: unknown key; did you mean "public_addr"/),
    ]);
  });

  it("of a machine whose name is no cluster name says what to set", () => {
    expect(() => load("", { hostname: "my host" })).toThrow(expect.objectContaining({ code: "bad_parameter", hint: "set auth_service.cluster_name" }));
    const long = "long-name.of-a-machine.in.example.com";
    expect(load("", { hostname: long }).clusterName).toBe(long);
    // Too long for a Kubernetes cluster: the pod's own goes by the end of it.
    expect(load("proxy_service: { kubernetes: { enabled: yes } }", { hostname: long }).kubernetes.clusters).toMatchObject([{ name: expect.stringMatching(/^[a-z.-]{1,24}-[0-9a-f]{6}$/) as string, kubeconfigFile: undefined }]);
  });

  it("by a file that is too large, too deep or full of aliases ends at once", () => {
    expect(() => load(`# ${"x".repeat(1024 * 1024)}`)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
    expect(problem("[".repeat(100_000))).toContain("is not valid YAML");
    const aliases = `proxy_service: { public_addr: &a x.com, ssh_public_addr: [${"*a,".repeat(200)}] }`;
    expect(() => load(aliases)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });

  it("is a GatehouseError, whatever the text is", () => {
    const words = fc.constantFrom("teleport", "auth_service", "proxy_service", "kubernetes", "clusters", "enabled", "yes", ":", ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ",", "*a", "&a ", "'", '"', "|", "!!str ", "? ", "<<", "#", "a", "0");
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 4, arbitrary: words }, fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 25 }), (parts) => {
        try {
          load(parts.join(""));
        } catch (error) {
          if (!(error instanceof GatehouseError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("second factors", () => {
  it.each([
    ["{ second_factor: webauthn, webauthn: { rp_id: Example.com } }", { secondFactor: "webauthn", rpId: "example.com" }],
    ["{ second_factor: on }", { secondFactor: "on" }],
    ["{ second_factor: off }", { secondFactor: "off" }],
    ["{ second_factor: optional }", { secondFactor: "optional", rpId: undefined }],
  ])("%s", (text, expected) => {
    expect(load(`auth_service: { authentication: ${text} }`)).toMatchObject({ authentication: expected, warnings: [] });
  });

  it.each([
    ["{ second_factor: u2f }", "webauthn, which takes the same security keys"],
    ["{ webauthn: { rp_id: 10.0.0.1 } }", "browsers take no addresses here"],
    ["{ webauthn: { rp_id: 'https://gw.example.com' } }", "without a scheme and a port"],
  ])("%s is a problem", (text, problem) => {
    expect(() => load(`auth_service: { authentication: ${text} }`)).toThrow(problem);
  });
});

describe("what has no effect", () => {
  it.each([
    ["teleport: { auth_servers: [1.2.3.4] }", "teleport.auth_servers"],
    ["teleport: { storage: { type: dir } }", "teleport.storage.type"],
    ["teleport: { ciphers: [aes] }", "teleport.ciphers"],
    ["teleport: { log: { output: syslog } }", "output syslog is not supported"],
    ["auth_service: { tokens: ['node:secret-token'] }", "auth_service.tokens"],
    ["auth_service: { proxy_protocol: on }", "auth_service.proxy_protocol"],
    ["auth_service: { session_recording: off }", "no session is recorded"],
    ["auth_service: { disconnect_expired_cert: no }", "disconnect_expired_cert"],
    ["auth_service: { authentication: { type: saml } }", "no saml connectors"],
    ["auth_service: { authentication: { require_session_mfa: yes } }", "is not in force in this version"],
    ["auth_service: { authentication: { u2f: { app_id: 'https://gw' } } }", "second_factor: webauthn"],
    ["proxy_service: { tunnel_listen_addr: 0.0.0.0:3024 }", "proxy_service.tunnel_listen_addr"],
    ["proxy_service: { kubernetes: { kubeconfig_file: /k } }", "stays off without enabled: yes"],
    ["ssh_service: { enabled: yes }", "ssh_service.enabled"],
    ["ssh_service: { enabled: no, labels: { a: b } }", "ssh_service.labels"],
  ])("%j loads, with one warning that says where", (text, warning) => {
    const { warnings } = load(text);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^teleport\.yaml:\d+:\d+ /);
    expect(warnings[0]).toContain(warning);
    expect(warnings[0]).not.toContain("secret-token");
  });
});

describe("TELEPORT_CONFIG", () => {
  it("replaces the file", () => {
    const env = { TELEPORT_CONFIG: Buffer.from("auth_service: { cluster_name: from-env }").toString("base64") };
    expect(load("not: [read", { env }).clusterName).toBe("from-env");
  });
  it("that is wrong says so by its own name", () => {
    expect(problem("", { env: { TELEPORT_CONFIG: "cluster_name: x" } })).toBe("TELEPORT_CONFIG is not base64");
    expect(problem("", { env: { TELEPORT_CONFIG: Buffer.from("a: b").toString("base64") } })).toContain("TELEPORT_CONFIG:1:1 a: unknown key");
  });
});

describe("the data directory", () => {
  it.each([
    [0, {}, "/var/lib/teleport"],
    [1000, {}, "/home/ana/.local/state/gatehouse"],
    [1000, { XDG_STATE_HOME: "/state" }, "/state/gatehouse"],
    [1000, { XDG_STATE_HOME: "relative" }, "/home/ana/.local/state/gatehouse"],
    [undefined, {}, "/home/ana/.local/state/gatehouse"],
  ])("of uid %s with %j is %s", (uid, env, directory) => {
    expect(defaultDataDir({ ...host, uid, env })).toBe(directory);
  });
});

describe("flags", () => {
  it("win over the file", () => {
    const config = parseGatewayOptions({
      text: `teleport: { data_dir: /data }\n${guide}`,
      filename: "teleport.yaml",
      host,
      overrides: {
        webListenAddr: "127.0.0.1:0",
        sshListenAddr: ":0",
        kubeListenAddr: "[::1]:0",
        adminListenAddr: "127.0.0.1",
        diagListenAddr: "127.0.0.1:0",
        publicAddr: "gw.example.com",
        kubePublicAddr: "gw.example.com",
        dataDir: "/other",
        clusterName: "other",
        logSeverity: "DEBUG",
      },
    });
    expect(config).toMatchObject({
      clusterName: "other",
      dataDir: "/other",
      web: { listen: { host: "127.0.0.1", port: 0 }, publicAddrs: [{ host: "gw.example.com", port: 3080 }] },
      ssh: { listen: { host: "0.0.0.0", port: 0 } },
      admin: { listen: { host: "127.0.0.1", port: 3025 } },
      diag: { listen: { host: "127.0.0.1", port: 0 } },
      kubernetes: { listen: { host: "::1", port: 0 }, publicAddrs: [{ host: "gw.example.com", port: 3026 }], unnamed: true, kubeconfigFile: "/path/to/kubeconfig", clusters: [] },
      log: { severity: "debug" },
    });
    expect(applyOverrides(config, {})).toEqual(config);
  });

  it("turn Kubernetes on with a kubeconfig, keep labels, and leave named clusters alone", () => {
    const off = load("proxy_service: { kubernetes: { enabled: no, labels: { env: test } } }");
    expect(applyOverrides(off, { kubeconfigFile: "/k" }).kubernetes).toMatchObject({
      enabled: true,
      kubeconfigFile: "/k",
      labels: { env: "test" },
      clusters: [],
    });
    const named = load("proxy_service: { kubernetes: { enabled: yes, clusters: [{ name: a }] } }");
    expect(applyOverrides(named, { clusterName: "other" }).kubernetes.clusters).toMatchObject([{ name: "a" }]);
    expect(applyOverrides(named, { kubeconfigFile: "/k" }).kubernetes).toMatchObject({ kubeconfigFile: "/k", clusters: [{ name: "a", kubeconfigFile: "/k" }] });
    const kept = load("proxy_service: { kubernetes: { enabled: no, clusters: [{ name: a }] } }");
    expect(() => applyOverrides(kept, { kubeconfigFile: "/k" })).toThrow(expect.objectContaining({ code: "usage" }));
    const pod = load("proxy_service: { kubernetes: { enabled: yes } }");
    expect(applyOverrides(pod, { clusterName: "other" }).kubernetes.clusters).toMatchObject([{ name: "other", kubeconfigFile: undefined }]);
  });

  it.each([
    [{ webListenAddr: "nowhere:x" }, "--web-listen-addr"],
    [{ kubeListenAddr: "" }, "--kube-listen-addr"],
    [{ publicAddr: ":3080" }, "--public-addr"],
    [{ clusterName: "a/b" }, "--cluster-name"],
    [{ logSeverity: "loud" }, "--log-level"],
  ])("that are wrong (%j) are named", (overrides, name) => {
    expect(() => applyOverrides(load(""), overrides)).toThrow(expect.objectContaining({ code: "usage", message: expect.stringContaining(name) as string }));
  });
});

describe("witnesses", () => {
  it("are read, each type with its keys", () => {
    const { audit } = load(`
audit:
  retention: 8760h
  witness_for: [{ name: gw2, token_file: /etc/gw2.token }]
  witnesses:
    - { type: file, path: /mnt/witness.log }
    - { type: syslog, address: "tcp://[::1]:601" }
    - { type: syslog, address: "unix:///run/log" }
    - { type: gateway, url: "https://other.example.com:3080", ca_file: /etc/ca.pem, name: gw1, token_file: /etc/token }
    - { type: s3, endpoint: "https://s3.example.com", bucket: audit-log, access_key_id: AK, secret_key_file: /etc/secret, lock_for: 24h, prefix: gw/ }
`);
    expect(audit.retention).toBe(8760 * 3_600_000);
    expect(audit.witnessFor).toEqual([{ name: "gw2", tokenFile: "/etc/gw2.token" }]);
    expect(audit.witnesses).toEqual([
      { type: "file", path: "/mnt/witness.log" },
      { type: "syslog", address: "tcp://[::1]:601" },
      { type: "syslog", address: "unix:///run/log" },
      { type: "gateway", url: "https://other.example.com:3080", caFile: "/etc/ca.pem", name: "gw1", tokenFile: "/etc/token" },
      { type: "s3", endpoint: "https://s3.example.com", region: "us-east-1", bucket: "audit-log", prefix: "gw/", accessKeyId: "AK", secretKeyFile: "/etc/secret", lockMs: 86_400_000, lockMode: "COMPLIANCE", caFile: undefined },
    ]);
  });

  it.each([
    ["[{ path: /x }]", "has no type"],
    ["[{ type: fil, path: /x }]", "not one of file, syslog, gateway, s3"],
    ["[{ type: file }]", "needs path"],
    ["[{ type: file, path: /x, url: 'https://a' }]", "has no url"],
    ["[{ type: syslog, address: 'localhost:514' }]", "is not udp://host:port"],
    ["[{ type: gateway, url: 'http://a', ca_file: /c, name: a, token_file: /t }]", "is not https://host[:port]"],
    ["[{ type: gateway, url: 'https://u:p@a', ca_file: /c, name: a, token_file: /t }]", "is not https://host[:port]"],
    ["[{ type: gateway, url: 'https://a', ca_file: /c, name: ../a, token_file: /t }]", "is not a name"],
  ])("%s is refused", (text, expected) => {
    expect(problem(`audit: { witnesses: ${text} }`)).toContain(expected);
  });

  it("are for gateways with different names, and days are kept whole", () => {
    expect(problem("audit: { witness_for: [{ name: a, token_file: /a }, { name: a, token_file: /b }] }")).toContain("same name");
    expect(problem("audit: { witness_for: [{ name: a }] }")).toContain("token_file");
    expect(problem("audit: { retention: 1h }")).toContain("at least a day");
  });
});
