/** The part of the room without schemas: what a shell waits for loads nothing else of it. */
export { resourceKinds } from "../ref.ts";
