/** Letting the system start the agent at every login of its person: systemd, launchd, the Windows task scheduler. */
export { planService } from "./plan.ts";
export type { ServiceOptions, ServicePlan } from "./plan.ts";
export { installService, uninstallService } from "./apply.ts";
