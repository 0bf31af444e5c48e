import { BaseCommand } from "@gatehouse/core/client/command";
import { formatError } from "@gatehouse/core/client/terminal";
import { wakeAgent } from "./wake-agent.ts";

/** A command of a person's, who has a local agent from then on. */
export abstract class AgentCommand extends BaseCommand {
  #waking: Promise<void> | undefined;

  /** As {@link wakeAgent}, once. */
  protected wakeAgent(identity?: string): void {
    const { output } = this;
    this.#waking ??= wakeAgent(identity, (error) => output.stderr.write(formatError(error, output.style)));
  }

  /** What is said of the agent is said before the command ends. */
  protected override async finally(error: Error | undefined): Promise<void> {
    await this.#waking;
    await super.finally(error);
  }
}
