/**
 * Which element of a list is which in its next state, by name instead of by position: how the elements of a keyed list (or a set) came,
 * went and moved, as steps that can be taken one after the other.
 * Source: Kubernetes "Server-Side Apply, merge strategy": elements of a `map` list are named by its keys, those of a `set` by themselves.
 */
import type { Json } from "../kube/kube-object.ts";
import type { ListType } from "../kube/list-shape.ts";

/** From one order to the other: removals by their position in `before`, from its end; then, in the order of `after`, what comes or moves. */
export interface Alignment {
  readonly steps: readonly { readonly op: "remove" | "add" | "move"; readonly from: number; readonly to: number }[];
  /** What stands in both: the element before, and its position after. */
  readonly shared: readonly { readonly before: Json; readonly to: number }[];
}

/** Each element out of its place costs a walk through the list; past this the list is compared by position (some milliseconds). */
const WALKS_MAX = 1_000_000;

/** Aligns two states of a list; `undefined` when its elements have no names of their own, or to order them anew would cost too much. */
export function align(before: readonly Json[], after: readonly Json[], list: NamedList): Alignment | undefined {
  const [old, now] = [namesOf(before, list), namesOf(after, list)];
  if (old === undefined || now === undefined) return undefined;
  const steps: Alignment["steps"][number][] = [];
  for (let from = before.length - 1; from >= 0; from--) {
    if (!now.has(nameAt(before, from, list))) steps.push({ op: "remove", from, to: from });
  }
  const order = [...old.keys()].filter((name) => now.has(name));
  const shared: Alignment["shared"][number][] = [];
  let walks = 0;
  let to = 0;
  for (const name of now.keys()) {
    const was = old.get(name);
    if (was === undefined) {
      order.splice(to, 0, name);
      steps.push({ op: "add", from: to, to });
    } else {
      if (order[to] !== name) {
        const from = order.indexOf(name, to);
        order.splice(from, 1);
        order.splice(to, 0, name);
        steps.push({ op: "move", from, to });
        walks += order.length;
      }
      shared.push({ before: before[was] as Json, to });
    }
    if (walks > WALKS_MAX) return undefined;
    to++;
  }
  return { steps, shared };
}

/** Whether each element stands where it stood, as nearly always; then there is nothing to align. */
export function isInPlace(before: readonly Json[], after: readonly Json[], list: NamedList): boolean {
  if (before.length !== after.length) return false;
  return before.every((was, position) => {
    const is = after[position];
    return list.type === "set" ? was === is : list.keys.every((key) => keyOf(was, key) === keyOf(is, key));
  });
}

type NamedList = Exclude<ListType, { readonly type: "atomic" }>;

/** Positions by name, in the list's order; `undefined` when a name is missing or stands twice. */
function namesOf(elements: readonly Json[], list: NamedList): ReadonlyMap<string, number> | undefined {
  const names = new Map<string, number>();
  for (let i = 0; i < elements.length; i++) {
    const name = nameAt(elements, i, list);
    if (name === "" || names.has(name)) return undefined;
    names.set(name, i);
  }
  return names;
}

/** The empty text when the element has none of the keys. */
function nameAt(elements: readonly Json[], position: number, list: NamedList): string {
  const element = elements[position];
  if (list.type === "set") return JSON.stringify(element);
  if (element === null || typeof element !== "object" || Array.isArray(element)) return "";
  const values = list.keys.map((key) => keyOf(element, key));
  return values.every((value) => value === undefined) ? "" : JSON.stringify(values);
}

function keyOf(element: Json | undefined, key: string): Json | undefined {
  return (element as { readonly [key: string]: Json } | null | undefined)?.[key];
}
