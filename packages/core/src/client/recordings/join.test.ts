import { describe, expect, it, vi } from "vitest";
import { maxTyped, type SessionInput } from "../../api/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { sessionKeyboard } from "./join.ts";

/** A gateway that takes what is typed when it is let. */
function gateway(answer: (input: SessionInput) => Promise<void> = () => Promise.resolve()) {
  const taken: SessionInput[] = [];
  return {
    taken,
    text: () => Buffer.concat(taken.map(({ data }) => Buffer.from(data, "base64"))).toString(),
    admin: {
      typeInto: async (_sid: string, _key: string, input: SessionInput) => {
        taken.push(input);
        await answer(input);
      },
    },
  };
}

describe("the keyboard of a joined session", () => {
  it("sends what is typed in order, one piece at a time, and what was typed meanwhile together", async () => {
    let release = (): void => undefined;
    const { admin, taken, text } = gateway(() => new Promise((resolve) => (release = resolve)));
    const keyboard = sessionKeyboard(admin, "s", "k", () => undefined);
    for (const key of ["l", "s", "\r"]) expect(keyboard.type(Buffer.from(key))).toBe(true);
    expect(text()).toBe("l");
    release();
    await vi.waitFor(() => expect(text()).toBe("ls\r"));
    release();
    await keyboard.settled();
    expect(taken.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it("cuts a paste, and leaves at Ctrl-] after what came before it", async () => {
    const { admin, taken, text } = gateway();
    const keyboard = sessionKeyboard(admin, "s", "k", () => undefined);
    const paste = "x".repeat(2 * maxTyped + 1);
    expect(keyboard.type(Buffer.from(`${paste}\x1dnot this`))).toBe(false);
    await keyboard.settled();
    expect([text(), taken.length]).toEqual([paste, 3]);
  });

  it("tries once more where the connection broke, under the same number; and says why it cannot go on", async () => {
    let broken = 1;
    const { admin, taken } = gateway(() => (broken-- > 0 ? Promise.reject(new GatehouseError("unavailable", "reset")) : Promise.resolve()));
    const failed = vi.fn();
    const keyboard = sessionKeyboard(admin, "s", "k", failed);
    keyboard.type(Buffer.from("a"));
    await keyboard.settled();
    expect([taken.map(({ seq }) => seq), failed.mock.calls]).toEqual([[1, 1], []]);
    const refusing = gateway(() => Promise.reject(new GatehouseError("access_denied", "no more")));
    const refused = sessionKeyboard(refusing.admin, "s", "k", failed);
    refused.type(Buffer.from("a"));
    await refused.settled();
    refused.type(Buffer.from("b"));
    await refused.settled();
    expect([failed.mock.calls, refusing.taken.length]).toEqual([[[expect.objectContaining({ message: "no more" })]], 1]);
  });
});
