/** `teleport.yaml` and the gateway's flags: what they say, with defaults filled in. */
export { defaultDataDir, hostFacts, loadConfig } from "./load.ts";
export { applyOverrides, parseGatewayOptions } from "./overrides.ts";
export { fitKubeName } from "./values.ts";
export { defaultPorts, formatAddress } from "./address.ts";
export type {
  AuthenticationConfig,
  ConfigOverrides,
  GatewayConfig,
  HostFacts,
  KubernetesClusterConfig,
  KubernetesConfig,
  ListenAddress,
  PublicAddress,
  WitnessConfig,
} from "./types.ts";
