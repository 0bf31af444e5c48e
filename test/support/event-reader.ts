import { expect } from "vitest";
import type { World } from "./world.ts";

/** An event of the audit log. */
export type Event = Readonly<Record<string, unknown>>;

/** Reads a world's audit log piece by piece. */
export interface EventReader {
  /** Passes over what there is. */
  skip(): Promise<void>;
  /** Events that were not read yet; they stay so. */
  unread(): Promise<readonly Event[]>;
  /** Reads on until an event of this name has come; returns all that came. */
  until(name: string): Promise<readonly Event[]>;
}

/** Begins at the log's beginning. */
export function readEvents(world: Pick<World, "events">): EventReader {
  let seen = 0;
  const unread = async (): Promise<readonly Event[]> => (await world.events()).slice(seen);
  return {
    async skip() {
      seen = (await world.events()).length;
    },
    unread,
    async until(name) {
      await expect.poll(async () => (await unread()).map(({ event }) => event)).toContain(name);
      const events = await unread();
      seen += events.length;
      return events;
    },
  };
}

/** Those of this name. */
export const named = (events: readonly Event[], name: string): readonly Event[] => events.filter(({ event }) => event === name);
