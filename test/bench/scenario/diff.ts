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
const CHANGES = [1, 10, 100];
/** What is compared. The settings of our objects are one map, so at 20 KB of 375 keys, which V8 keeps as a hash table; those in lists are records. */
const KINDS: readonly { readonly name: string; readonly make: (index: number) => Sample }[] = [
  { name: "2 KB", make: (index) => settingsIn(objectAt(index, 0, 2 * 1024)) },
  { name: "20 KB", make: (index) => settingsIn(objectAt(index, 0, 20 * 1024)) },
  { name: "20 KB in lists", make: (index) => containersIn(objectAt(index, 0, 1_000), 25) },
];
/** Other objects each time, or the compiler learns the one. */
const OBJECTS = 20;
/** Comparisons between two looks at the clock, which costs a fiftieth of the fastest; the slowest takes a tenth of a second. */
const BATCH = 4;

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

/** An object, and the values in it that can change: each the value of a key. */
interface Sample {
  readonly object: KubeObject;
  readonly values: readonly { readonly of: Record<string, unknown>; readonly key: string }[];
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
        for (const kind of KINDS)
          for (const changes of CHANGES) {
            const work = `${kind.name}, ${changes} ${changes === 1 ? "change" : "changes"}`;
            const pairs = Array.from({ length: OBJECTS }, (_, each) => pairOf(kind.make(each), changes));
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
  do {
    for (let each = 0; each < BATCH; each++, count++) {
      const pair = pairs[count % pairs.length];
      if (pair) compare(pair.before, pair.after);
    }
  } while (performance.now() - startedAt < ms);
  return (spentUs() - before) / count;
}

/** Two states with so many values that differ, all over the spec: as many as it has, where there are fewer, and new ones. */
function pairOf({ object, values }: Sample, changes: number): Pair {
  const before = JSON.parse(JSON.stringify(object)) as Json;
  const taken = new Set<number>();
  for (let change = 0; change < changes; change++) {
    const at = Math.floor((change * values.length) / changes);
    const value = values[at];
    if (value === undefined) continue;
    value.of[taken.has(at) ? `new-${change}` : value.key] = `changed ${change}`;
    taken.add(at);
  }
  return { before, after: JSON.parse(JSON.stringify(object)) as Json };
}

/** An object whose values are in one map. */
function settingsIn(object: KubeObject): Sample {
  const { settings } = object["spec"] as { settings: Record<string, string> };
  return { object, values: Object.keys(settings).map((key) => ({ of: settings, key })) };
}

/** An object of so many containers of 0.8 KB, as the template of a pod has them: lists of small maps. */
function containersIn(object: KubeObject, count: number): Sample {
  const containers = Array.from({ length: count }, (_, index) => ({
    name: `container-${index}`,
    image: `registry.example.com/team/app-${index}:1.2.${index}`,
    imagePullPolicy: "IfNotPresent",
    ports: [{ containerPort: 8_080 + index, name: "http", protocol: "TCP" }],
    env: Array.from({ length: 5 }, (_, each) => ({ name: `VARIABLE_${each}`, value: `value of ${index} and ${each}` })),
    resources: { limits: { cpu: "500m", memory: "512Mi" }, requests: { cpu: "100m", memory: "128Mi" } },
    readinessProbe: {
      httpGet: { path: "/healthz", port: 8_080, scheme: "HTTP" },
      periodSeconds: 10,
      timeoutSeconds: 1,
    },
    terminationMessagePath: "/dev/termination-log",
  }));
  const values = containers.flatMap(({ env }) => env.map((of) => ({ of, key: "value" })));
  return { object: { ...object, spec: { containers } } as KubeObject, values };
}
