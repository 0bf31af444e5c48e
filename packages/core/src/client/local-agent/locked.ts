import { GatehouseError } from "../../base/index.ts";

/** The agent gives nothing out: the person has locked it, and no other way to the same keys is taken. Exit code 3. */
export class AgentLocked extends GatehouseError {
  constructor() {
    super("unauthenticated", "the local agent is locked", { hint: "unlock: tsh agent unlock" });
  }
}
