/**
 * What was last published about each object: uid, resourceVersion and stream sequence for all of them, and the whole state for
 * those that changed lately, within a byte budget. What does not fit is read from the log by its sequence, so memory does not
 * grow with the size of the objects.
 */
import type { Op } from "../event/change.ts";
import type { ObservedState } from "../event/seal.ts";

/** The last event about an object. A tombstone (`absence`) stays, so that a late event of the dead object is recognised. */
export interface KnownObject {
  readonly uid: string;
  /** The object's; of a tombstone that of the deletion, or of the list that revealed it. */
  readonly resourceVersion: string;
  /** Of its last event in CR_EVENTS. */
  readonly sequence: number;
  /** Of the newest message of the object there, ours or not: what the next event must stand behind. */
  readonly fence: number;
  /** Why its last event says that it is not there; `undefined`: it is. What is `unselected` may come back under its uid. */
  readonly absence: Absence | undefined;
}

/** It is gone, or outside the selection of its watch. */
export type Absence = "deleted" | "unselected";

/** The absence that an event of this op leaves behind. */
export function absenceAfter(op: Op): Absence | undefined {
  return op === "deleted" || op === "unselected" ? op : undefined;
}

/** The known objects of one watch; keys are the first six tokens of the subject. */
export interface Store {
  readonly size: number;
  readonly stateBytes: number;
  get(key: string): KnownObject | undefined;
  /** Records what was published; `state` is kept if the budget allows. */
  set(key: string, known: KnownObject, state?: ObservedState, stateBytes?: number): void;
  /** Forgets an object that the log does not have. */
  delete(key: string): void;
  /** The last published state, if it is still in memory. */
  stateOf(key: string): ObservedState | undefined;
  entries(): IterableIterator<[string, KnownObject]>;
}

interface CachedState {
  readonly state: ObservedState;
  readonly bytes: number;
}

/** A parsed object takes about this many times the bytes of its JSON (measured: 2 KB of JSON is 3.4 KB of heap). */
const HEAP_PER_JSON_BYTE = 1.7;

/** Makes an empty store whose states take at most `stateBytesMax` bytes of heap, the least recently used going first. */
export function createStore(stateBytesMax: number): Store {
  const known = new Map<string, KnownObject>();
  const states = new Map<string, CachedState>();
  let bytesUsed = 0;

  const forget = (key: string) => {
    bytesUsed -= states.get(key)?.bytes ?? 0;
    states.delete(key);
  };
  return {
    get size() {
      return known.size;
    },
    get stateBytes() {
      return bytesUsed;
    },
    get: (key) => known.get(key),
    set(key, object, state, stateBytes = 0) {
      const { sequence, fence, absence } = object;
      const before = known.get(key);
      const uid = before?.uid === object.uid ? before.uid : ownCopy(object.uid);
      // Of a state it is a string of its own already, as JSON.parse makes them.
      const resourceVersion = state === undefined ? ownCopy(object.resourceVersion) : object.resourceVersion;
      known.set(before === undefined ? ownCopy(key) : key, { uid, resourceVersion, sequence, fence, absence });
      if (state === undefined && absence === undefined) return;
      forget(key);
      if (state === undefined || absence !== undefined) return;
      const bytes = Math.ceil(stateBytes * HEAP_PER_JSON_BYTE);
      states.set(key, { state, bytes });
      bytesUsed += bytes;
      for (const oldest of states.keys()) {
        if (bytesUsed <= stateBytesMax) break;
        forget(oldest);
      }
    },
    stateOf(key) {
      const cached = states.get(key);
      if (cached === undefined) return undefined;
      states.delete(key);
      states.set(key, cached);
      return cached.state;
    },
    delete(key) {
      known.delete(key);
      forget(key);
    },
    entries: () => known.entries(),
  };
}

/** A string cut out of a longer one, such as a subject or a message's headers, keeps the whole of that in memory; its copy does not. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
