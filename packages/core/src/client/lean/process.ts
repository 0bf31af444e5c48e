import { systemErrorCode } from "../../base/index.ts";

/** Whether a process of this machine has this number; true also for one that belongs to somebody else. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== "ESRCH";
  }
}
