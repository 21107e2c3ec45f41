/** Work about one object one after the other, about different objects side by side. */
import { objectPart } from "#contract";

/** Runs `work` when all that was given before it about the object of this event's subject has ended, however it ended. */
export type Turns = <T>(eventSubject: string, work: () => Promise<T>) => Promise<T>;

/** Nobody has a turn yet. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return async (eventSubject, work) => {
    const object = objectPart(eventSubject);
    const mine = (last.get(object) ?? Promise.resolve()).then(work, work);
    last.set(object, mine);
    try {
      return await mine;
    } finally {
      if (last.get(object) === mine) last.delete(object);
    }
  };
}
