import { toGatehouseError } from "@gatehouse/core/base";
import { chosenIdentity, clientHome } from "@gatehouse/core/client/lean";
import { AgentPlaceRefused, isFirstRefusal } from "@gatehouse/core/client/local-agent";
import { BaseCommand } from "@gatehouse/core/client/command";
import { formatError } from "@gatehouse/core/client/terminal";
import { ensureAgent, wantsAgent } from "@gatehouse/agent/start";
import { runningProgram } from "./program.ts";

/** A command of a person's, who has a local agent from then on. */
export abstract class AgentCommand extends BaseCommand {
  #waking: Promise<void> | undefined;

  /**
   * Makes sure that an agent runs, while the command does what it is for: whatever comes of it is said and stands in nobody's way. Not for who comes with an identity
   * file: that is a machine's login, which no agent holds.
   */
  protected wakeAgent(identity?: string): void {
    if (chosenIdentity(process.env, identity) === undefined) this.#waking ??= this.#wake();
  }

  async #wake(): Promise<void> {
    const { output } = this;
    const home = clientHome(process.env);
    try {
      if (await wantsAgent(process.env, home)) await ensureAgent({ env: process.env, home, program: runningProgram() });
    } catch (error) {
      if (error instanceof AgentPlaceRefused && !isFirstRefusal()) return;
      output.stderr.write(formatError(toGatehouseError(error), output.style));
    }
  }

  /** What is said of the agent is said before the command ends. */
  protected override async finally(error: Error | undefined): Promise<void> {
    await this.#waking;
    await super.finally(error);
  }
}
