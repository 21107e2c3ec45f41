/** An object's history as it happens now: each change is another number of replicas. */
import type { DatabaseFields } from "../event-factory.ts";
import * as event from "../event-factory.ts";

/** The history of one object. */
export function createHistory(name: string, metadata: DatabaseFields["metadata"] = {}) {
  let replicas = 0;
  let before: DatabaseFields = {};
  const next = (fields: DatabaseFields): DatabaseFields => {
    before = { name, spec: { replicas: ++replicas }, seenAtMs: Date.now(), metadata, ...fields };
    return before;
  };
  return {
    phase: () => before.phase,
    created: (phase: string) => {
      const creationTimestamp = new Date().toISOString();
      return event.created(next({ phase, metadata: { ...metadata, creationTimestamp } }));
    },
    moved: (phase: string, fields: DatabaseFields = {}) => {
      const was = before;
      return event.updated({ name, metadata, spec: { replicas }, ...was }, next({ phase, ...fields }));
    },
    deleted: () => event.deleted({ ...before, seenAtMs: Date.now() }),
    existing: (phase: string, seenAtMs: number) => event.existing(next({ phase, seenAtMs })),
  };
}
