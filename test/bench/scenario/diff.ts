/**
 * Diff: two states of one object in this process, ours against the libraries that are used for it: microseconds, and the size of the patch. All
 * are given the same parsed objects; ours makes operations that carry the old value as well, which is why its patches are larger.
 */
import fastJsonPatch from "fast-json-patch";
import microdiff from "microdiff";
import { createPatch } from "rfc6902";
import { diff as ourDiff } from "../../../bridge/event/diff.ts";
import type { Json, KubeObject } from "../../../bridge/kube/kube-object.ts";
import { objectAt } from "../object.ts";
import type { Scenario } from "../scenario.ts";

/** For how long each is repeated. */
const SIZES = { quick: { ms: 20 }, full: { ms: 500 } } as const;
const KILOBYTES = [2, 20];
const CHANGES = [1, 10, 100];
/** Other objects each time, or the compiler learns the one. */
const OBJECTS = 20;

type Compare = (before: Json, after: Json) => unknown;
const LIBRARIES: Readonly<Record<string, Compare>> = {
  "fast-json-patch": (before, after) => fastJsonPatch.compare(before as object, after as object),
  rfc6902: (before, after) => createPatch(before, after),
  microdiff: (before, after) => microdiff(before as Record<string, unknown>, after as Record<string, unknown>),
  us: (before, after) => ourDiff(before, after),
};

interface Pair {
  readonly before: Json;
  readonly after: Json;
}

/** The scenario. */
export const diff: Scenario = {
  name: "diff",
  about: "time and patch size for one object, against fast-json-patch, rfc6902 and microdiff",
  needs: "nothing",
  async open({ size }) {
    const { ms } = SIZES[size];
    return {
      async round({ index, tell }) {
        const names = Object.keys(LIBRARIES);
        const order = [...names.slice(index % names.length), ...names.slice(0, index % names.length)];
        for (const kilobytes of KILOBYTES)
          for (const changes of CHANGES) {
            const work = `${kilobytes} KB, ${changes} ${changes === 1 ? "change" : "changes"}`;
            const pairs = Array.from({ length: OBJECTS }, (_, each) => pairOf(each, kilobytes * 1024, changes));
            for (const name of order) {
              const compare = LIBRARIES[name] as Compare;
              timeOf(compare, pairs, ms / 4); // compiled
              tell(work, "time", "µs", name, timeOf(compare, pairs, ms));
              const [first] = pairs;
              if (first) tell(work, "patch", "bytes", name, JSON.stringify(compare(first.before, first.after)).length);
            }
          }
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

/** Microseconds a comparison, of this thread's processor time: another process that wants the core does not count. */
function timeOf(compare: Compare, pairs: readonly Pair[], ms: number): number {
  const spentUs = () => {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  };
  const [startedAt, before] = [performance.now(), spentUs()];
  let count = 0;
  while (performance.now() - startedAt < ms) {
    for (const pair of pairs) compare(pair.before, pair.after);
    count += pairs.length;
  }
  return (spentUs() - before) / count;
}

/** Two states with so many values that differ, all over the spec: as many as it has, where there are fewer, and new ones. */
function pairOf(index: number, bytes: number, changes: number): Pair {
  const text = JSON.stringify(objectAt(index, 0, bytes));
  const [before, after] = [
    JSON.parse(text) as Json,
    JSON.parse(text) as KubeObject & { spec: { settings: Record<string, string> } },
  ];
  const { settings } = after.spec;
  const names = Object.keys(settings);
  for (let change = 0; change < changes; change++) {
    const name = names[Math.floor((change * names.length) / changes)] ?? "";
    const isTaken = settings[name]?.startsWith("changed") ?? true;
    settings[isTaken ? `new-${change}` : name] = `changed ${change}`;
  }
  return { before, after: after as unknown as Json };
}
