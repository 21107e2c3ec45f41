/**
 * The difference of any two documents, by any rules, is what a plain walk finds: one that looks at everything, asks each rule at each place by
 * its whole path, and takes no short cut. That lists are aligned well is told in `list-diff.test.ts`; here both use the same alignment.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DiffRules, diff } from "../../../bridge/event/diff.ts";
import { toPointer } from "../../../bridge/event/field-path.ts";
import { align } from "../../../bridge/event/list-alignment.ts";
import type { PatchOperation } from "../../../bridge/event/patch.ts";
import { pathSet } from "../../../bridge/event/path-set.ts";
import type { Json } from "../../../bridge/kube/kube-object.ts";
import { type ListType, type Shape, shapeBelow } from "../../../bridge/kube/list-shape.ts";

type Path = readonly string[];
type JsonMap = Record<string, Json>;
interface Rules extends Pick<DiffRules, "shape" | "isSame"> {
  readonly ignored: readonly Path[];
  readonly only: readonly Path[] | undefined;
}

const matches = (pattern: Path, place: Path) => pattern.every((key, depth) => key === "*" || key === place[depth]);
const isMap = (value: Json): value is JsonMap => typeof value === "object" && value !== null && !Array.isArray(value);
const hasChanges = (patch: readonly PatchOperation[]) => patch.some(({ op }) => op !== "move");

function reference(before: Json, after: Json, rules: Rules): PatchOperation[] {
  const patch = walk(before, after, [], rules);
  return hasChanges(patch) ? patch : [];
}

function walk(before: Json, after: Json, path: Path, rules: Rules): PatchOperation[] {
  const shape = path.reduce(shapeBelow, rules.shape);
  const patch =
    Array.isArray(before) && Array.isArray(after)
      ? walkLists(before, after, path, rules, shape?.list)
      : isMap(before) && isMap(after)
        ? walkMaps(before, after, path, rules)
        : before === after || rules.isSame?.(before, after)
          ? []
          : [replaced(before, after, path)];
  const isContainer = typeof before === "object" && before !== null && typeof after === "object" && after !== null;
  const isWhole = isContainer && (shape?.isAtomicMap || shape?.list?.type === "atomic");
  return isWhole ? (hasChanges(patch) ? [replaced(before, after, path)] : []) : patch;
}

function walkMaps(before: JsonMap, after: JsonMap, path: Path, rules: Rules): PatchOperation[] {
  const counting = (map: JsonMap) => Object.keys(map).filter((key) => counts([...path, key], rules));
  const old = counting(before).flatMap((key): PatchOperation[] => {
    const [place, oldValue] = [[...path, key], before[key] as Json];
    if (!Object.hasOwn(after, key)) return [{ op: "remove", path: toPointer(place), oldValue }];
    return walk(oldValue, after[key] as Json, place, rules);
  });
  const added = counting(after).filter((key) => !Object.hasOwn(before, key));
  return [...old, ...added.map((key) => addition(after[key] as Json, [...path, key]))];
}

function walkLists(before: Json[], after: Json[], path: Path, rules: Rules, list?: ListType): PatchOperation[] {
  const at = (position: number) => [...path, String(position)];
  const aligned = list === undefined || list.type === "atomic" ? undefined : align(before, after, list);
  const shared = aligned?.shared ?? after.slice(0, before.length).map((_, to) => ({ before: before[to] as Json, to }));
  const inside = shared
    .filter(({ to }) => counts(at(to), rules))
    .flatMap(({ before: old, to }) => walk(old, after[to] as Json, at(to), rules));
  if (aligned !== undefined) {
    if (rules.ignored.some((each) => each.length <= path.length + 1 && matches(each, [...path, "\0"]))) return [];
    const steps = aligned.steps.map(({ op, from, to }): PatchOperation => {
      if (op === "move") return { op, from: toPointer(at(from)), path: toPointer(at(to)) };
      return op === "add" ? addition(after[to] as Json, at(to)) : removal(before[to] as Json, at(to));
    });
    return [...steps, ...inside];
  }
  const rest = (list: Json[], other: Json[]) =>
    [...list.keys()].slice(other.length).filter((position) => counts(at(position), rules));
  return [
    ...inside,
    ...rest(after, before).map((position) => addition(after[position] as Json, at(position))),
    ...rest(before, after)
      .toReversed()
      .map((position) => removal(before[position] as Json, at(position))),
  ];
}

/** Whether what is at a place, or something below it, counts. */
function counts(place: Path, { ignored, only }: Rules): boolean {
  if (ignored.some((path) => path.length <= place.length && matches(path, place))) return false;
  return only?.some((path) => matches(path.slice(0, place.length), place)) ?? true;
}

function replaced(oldValue: Json, value: Json, path: Path): PatchOperation {
  return { op: "replace", path: toPointer(path), value, oldValue };
}

function addition(value: Json, path: Path): PatchOperation {
  return { op: "add", path: toPointer(path), value };
}

function removal(oldValue: Json, path: Path): PatchOperation {
  return { op: "remove", path: toPointer(path), oldValue };
}

const KEYS = ["a", "b", "name", "__proto__", "constructor", "toString", "", "0", "10", "2", "a/b", "~", "*"];
const key = fc.constantFrom(...KEYS);
const leaf = fc.constantFrom(null, true, 0, 1, 1e21, "", "x", "a text of more than ten characters");
const document = fc
  .anything({ key, values: [leaf], maxDepth: 4, maxKeys: 5 })
  .map((value): Json => JSON.parse(JSON.stringify(value)));
const many = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`key-${index}`, index]));

const path = fc.array(fc.constantFrom(...KEYS.filter((name) => name !== "")), { minLength: 1, maxLength: 3 });
const list = fc.constantFrom<(ListType | undefined)[]>(
  undefined,
  { type: "set" },
  { type: "atomic" },
  { type: "map", keys: ["name"] },
  { type: "map", keys: ["name", "a"] },
);
const { shape } = fc.letrec<{ shape: Shape }>((again) => ({
  shape: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant<Shape>({}),
    fc
      .tuple(list, fc.boolean(), again("shape"), fc.array(fc.tuple(key, again("shape")), { maxLength: 3 }))
      .map(([list, isAtomicMap, each, properties]) => ({
        ...(list && { list }),
        ...(isAtomicMap && properties.length === 0 && { isAtomicMap: true as const }),
        each,
        properties: new Map(properties),
      })),
  ),
}));
const rules = fc.record({
  ignored: fc.array(path, { maxLength: 2 }),
  only: fc.option(fc.array(path, { minLength: 1, maxLength: 3 }), { nil: undefined, freq: 3 }),
  shape: fc.option(shape, { nil: undefined }),
  isSame: fc.constantFrom(undefined, (before: Json, after: Json) => typeof before === typeof after),
});

const edits = fc.array(
  fc.record({
    at: fc.nat(),
    how: fc.constantFrom("set", "delete", "reverse", "widen"),
    key,
    value: document,
  }),
  { maxLength: 4 },
);

/** The document after some edits, each of one of its maps or lists; as from the wire, so it shares nothing. */
function edited(document: Json, changes: typeof edits extends fc.Arbitrary<infer Edits> ? Edits : never): Json {
  const copy = structuredClone(document);
  for (const { at, how, key, value } of changes) {
    const containers = containersIn(copy);
    const container = containers[at % containers.length];
    if (container === undefined) return value;
    if (Array.isArray(container)) {
      if (how === "reverse") container.reverse();
      else
        container.splice(at % (container.length + 1), how === "delete" ? 1 : 0, ...(how === "delete" ? [] : [value]));
      continue;
    }
    const entries = Object.entries(container).filter(([name]) => name !== key || how === "reverse");
    for (const name of Object.keys(container)) delete container[name];
    if (how === "set") entries.push([key, value]);
    if (how === "reverse") entries.reverse();
    if (how === "widen") entries.push(...Object.entries(many));
    for (const [name, value] of entries)
      Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return JSON.parse(JSON.stringify(copy));
}

function containersIn(value: Json): (Json[] | JsonMap)[] {
  if (typeof value !== "object" || value === null) return [];
  return [value, ...Object.values(value).flatMap(containersIn)];
}

test("the difference is what a plain walk finds, for any two documents by any rules", () => {
  let operations = 0;
  fc.assert(
    fc.property(document, edits, edits, rules, (origin, earlier, later, { ignored, only, ...rest }) => {
      const before = edited(origin, earlier);
      const after = edited(before, later);
      const expected = reference(before, after, { ...rest, ignored, only });
      const sets = { ignored: pathSet(ignored.map(toPointer)), only: only && pathSet(only.map(toPointer)) };
      assert.equal(JSON.stringify(diff(before, after, { ...rest, ...sets })), JSON.stringify(expected));
      operations += expected.length;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(operations > 3_000, `there was nothing to compare: ${operations} operations`);
});
