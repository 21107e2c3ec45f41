/**
 * A path to a value of an event, as settings name it: `object.spec.replicas`, `before.spec.replicas`, `event.phase`, `change.gap`. What stands
 * there keeps its type, where a template makes a text of it.
 */
import { FieldPath, type FunctionContext, type Json, parseFieldPath, valueAt } from "#kit";

/** What a path can start from. */
export type EventScope = Pick<FunctionContext<unknown>, "event" | "object" | "before" | "change">;

const ROOT = /^\/?(?:object|before|event|change)(?=[./[]|$)/;

/** For settings. */
export const EventPath = FieldPath.refine((path) => ROOT.test(path), {
  error: "expected a path that starts with object, before, event or change, such as object.spec.replicas",
});

/** What stands there; `undefined` when there is nothing. */
export function valueIn(scope: EventScope, path: string): Json | undefined {
  const document = {
    object: scope.object,
    // Computing the state before costs a copy of the object: only where a path asks for it.
    get before() {
      return scope.before;
    },
    event: scope.event,
    change: scope.change,
  };
  return valueAt(document, parseFieldPath(path));
}
