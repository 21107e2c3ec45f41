/**
 * The filter in TypeScript: functions that give the same data as YAML. `phase({ to: "Failed" })` is `phase: { to: Failed }`; several
 * of them together are `all(…)`, or one object with several keys.
 */
import type { Op } from "#contract";
import type { Filter } from "./filter.ts";

type Wish<Key extends keyof Filter> = NonNullable<Filter[Key]>;

/** One of these happened: by the type of the event, so that `created` is no first sight. */
export function op(...ops: Op[]): Filter {
  return { op: ops };
}

/** The object was created; with `includeExisting`, or seen for the first time. */
export function created(): Filter {
  return { created: true };
}

/** The object was deleted. */
export function deleted(): Filter {
  return { deleted: true };
}

/** The object's deletion began, and waits for its finalizers. */
export function terminating(): Filter {
  return { terminating: true };
}

/** Enters one of the phases `to`, leaves one of the phases `from`; `phase()` is any transition. */
export function phase(transition: Wish<"phase"> = {}): Filter {
  return { phase: transition };
}

/** A status condition became `to`, was `from`, has a `reason`; with the type alone: any transition. */
export function condition(transition: Wish<"condition">): Filter {
  return { condition: transition };
}

/** The value at the path became `to`, was `from`, increased, decreased, came, went, or with the path alone: changed. */
export function field(change: Wish<"field">): Filter {
  return { field: change };
}

/** What the spec asks for and what the status tells came apart. */
export function diverged(paths: Wish<"diverged">): Filter {
  return { diverged: paths };
}

/** The object has a name that one of the globs fits. */
export function names(...globs: string[]): Filter {
  return { names: globs };
}

/** The object is in a namespace that one of the globs fits. */
export function namespaces(...globs: string[]): Filter {
  return { namespaces: globs };
}

/** The change was made by a field manager that one of the globs fits. */
export function manager(...globs: string[]): Filter {
  return { manager: globs };
}

/** The object has all these labels; `"*"` is any value. */
export function labels(wanted: Readonly<Wish<"labels">>): Filter {
  return { labels: { ...wanted } };
}

/** The object has all these annotations; `"*"` is any value. */
export function annotations(wanted: Readonly<Wish<"annotations">>): Filter {
  return { annotations: { ...wanted } };
}

/** The object has such an owner. */
export function ownedBy(owner: Wish<"ownedBy">): Filter {
  return { ownedBy: owner };
}

/** These attributes of the event are these texts. */
export function exact(attributes: Wish<"exact">): Filter {
  return { exact: attributes };
}

/** These attributes of the event begin with these texts. */
export function prefix(attributes: Wish<"prefix">): Filter {
  return { prefix: attributes };
}

/** These attributes of the event end with these texts. */
export function suffix(attributes: Wish<"suffix">): Filter {
  return { suffix: attributes };
}

/** A CloudEvents SQL expression over the event's attributes is true. */
export function sql(expression: string): Filter {
  return { sql: expression };
}

/** A CEL expression over object, before, patch, transitions and event is true. */
export function cel(expression: string): Filter {
  return { cel: expression };
}

/** Every one of the filters holds. */
export function all(...filters: Filter[]): Filter {
  return { all: filters };
}

/** At least one of the filters holds. */
export function any(...filters: Filter[]): Filter {
  return { any: filters };
}

/** The filter does not hold. */
export function not(filter: Filter): Filter {
  return { not: filter };
}
