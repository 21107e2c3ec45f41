/**
 * Changed settings: the bridge is stopped, the cluster goes on, and the bridge starts with another configuration. Each row is what the
 * log has behind its first run: none lost, none false. With the embedded API server, whose history can be forgotten on demand.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Captured } from "./bridge-scene.ts";
import { type Play, play, type Work, watching } from "./settings-scene.ts";

/** Something else to capture: an entry is needed. */
const somethingElse: Captured = { resources: [{ apiVersion: "v1", kind: "ConfigMap", namespaces: ["a"] }] };
const v2 = { apiVersion: "demo.example.com/v2" };

interface Row extends Play {
  readonly name: string;
  /** In any order: it is a comparison. */
  readonly expected: readonly string[];
  /** The same when nothing happens meanwhile. Default: nothing. */
  readonly unchanged?: readonly string[];
}

const life: Work = async ({ create, scale, heartbeat, remove }) => {
  for (const namespace of ["a", "b"]) {
    await scale(`${namespace}/changed`, 2);
    await heartbeat(`${namespace}/beating`);
    await remove(`${namespace}/removed`);
    await create(`${namespace}/born`);
  }
};
/** What `life` is in a namespace, for a bridge that saw it all, and for one that compares. */
const seen = (namespace: string) => [
  `${namespace}/beating updated add /status/message`,
  `${namespace}/born created`,
  `${namespace}/changed updated replace /spec/replicas`,
  `${namespace}/removed deleted`,
];
const compared = (namespace: string) => [
  `${namespace}/beating updated gap add /status/message`,
  `${namespace}/born created gap`,
  `${namespace}/changed updated gap replace /spec/replicas`,
  `${namespace}/removed deleted gap`,
];
const existing = (...names: string[]) => names.map((name) => `b/${name} existing`);
const allOfB = existing("beating", "changed", "quiet", "removed");
const bNow = existing("beating", "born", "changed", "quiet");
const quiet = (events: readonly string[]) => events.filter((event) => !event.includes("beating"));
const heartbeats = { ignore: ["status.message"] };

/** All but one. */
const most = { fieldSelector: "metadata.name!=changed" };
const without = (name: string, events: readonly string[]) => events.filter((event) => !event.includes(`/${name} `));

const rows: readonly Row[] = [
  {
    name: "the same settings: every event of the meantime",
    configs: [watching("a"), watching("a")],
    expected: seen("a"),
  },
  {
    name: "the same settings and no history: the differences",
    configs: [watching("a"), watching("a")],
    forgets: true,
    expected: compared("a"),
  },
  {
    name: "an ignored path more: its changes are no longer told",
    configs: [watching("a"), watching("a", heartbeats)],
    expected: quiet(compared("a")),
  },
  {
    name: "an ignored path less: what the log does not have is told, whenever it changed, and nothing else",
    configs: [watching("a", heartbeats), watching("a")],
    first: async ({ heartbeat, scale, create, ready }) => {
      await heartbeat("a/quiet");
      await create("a/fresh");
      await ready("a/fresh", "True");
      await heartbeat("a/fresh");
      await scale("a/fresh", 3);
    },
    expected: [
      "a/fresh created",
      "a/fresh updated add /status",
      "a/fresh updated replace /spec/replicas",
      ...compared("a"),
      "a/quiet updated gap add /status/message",
    ],
  },
  {
    name: "another phase: a transition is one of the new phase, and none comes from the change of settings",
    configs: [watching("a"), watching("a", { phase: "condition:Ready" })],
    down: async (hand) => {
      await life(hand);
      await hand.ready("a/quiet", "False");
    },
    afterwards: async ({ scale, remove }) => {
      await scale("a/beating", 4);
      await remove("a/changed");
    },
    expected: [
      ...compared("a"),
      "a/quiet updated gap replace /status/conditions/0/status, phase True → False",
      "a/beating updated replace /spec/replicas",
      "a/changed deleted",
    ],
  },
  {
    name: "one namespace more: its objects are there already, the other's history goes on",
    configs: [watching("a"), watching("a b")],
    expected: [...seen("a"), ...bNow],
    unchanged: allOfB,
  },
  {
    name: "one namespace more, and then all: nothing of the two again",
    configs: [watching("a"), watching("a b"), watching("all")],
    expected: [...seen("a"), ...bNow],
    unchanged: allOfB,
  },
  {
    name: "all namespaces instead of one: what is new in that one was created",
    configs: [watching("a"), watching("all")],
    expected: [...compared("a"), ...bNow],
    unchanged: allOfB,
  },
  {
    name: "one namespace instead of all: the rest is left alone",
    configs: [watching("all"), watching("a")],
    expected: compared("a"),
  },
  {
    name: "one namespace instead of two, and two again: the history of both",
    configs: [watching("a b"), watching("a"), watching("a b")],
    expected: [...seen("a"), ...seen("b")],
  },
  {
    name: "one namespace instead of two, and two again without history: the differences in the other",
    configs: [watching("a b"), watching("a"), watching("a b")],
    forgets: true,
    expected: [...seen("a"), ...compared("b")],
  },
  {
    name: "one namespace instead of all, and all again: nothing twice",
    configs: [watching("all"), watching("a"), watching("all")],
    expected: [...compared("a"), ...seen("b")],
  },
  {
    name: "the same selection: nothing of what is outside",
    configs: [watching("a", most), watching("a", most)],
    expected: without("changed", seen("a")),
  },
  {
    name: "the same selection and no history: what was created is",
    configs: [watching("a", most), watching("a", most)],
    forgets: true,
    expected: without("changed", compared("a")),
  },
  {
    name: "a selection instead of all: what is not in it is unselected, and what is new was created",
    configs: [watching("a"), watching("a", most)],
    expected: [...without("changed", compared("a")), "a/changed unselected gap"],
    unchanged: ["a/changed unselected gap"],
  },
  {
    name: "all instead of a selection: what is new in it is existing",
    configs: [watching("a", most), watching("a")],
    expected: [...without("born", without("changed", compared("a"))), "a/born existing", "a/changed existing"],
    unchanged: ["a/changed existing"],
  },
  {
    name: "a selection instead of all, and all again: what comes back is existing",
    configs: [watching("a"), watching("a", most), watching("a")],
    expected: [...without("changed", compared("a")), "a/changed unselected gap", "a/changed existing gap"],
    unchanged: ["a/changed unselected gap", "a/changed existing gap"],
  },
  {
    name: "another apiVersion: only what changed, without the change of apiVersion",
    configs: [watching("a"), watching("a", { ...v2, ...heartbeats })],
    expected: quiet(compared("a")),
  },
  {
    name: "another apiVersion, and the first again",
    configs: [watching("a"), watching("a", v2), watching("a")],
    expected: compared("a"),
  },
  {
    name: "a kind that was left out for a while: its history",
    configs: [watching("a"), somethingElse, watching("a")],
    expected: seen("a"),
  },
  {
    name: "a kind that was left out for longer than the history: the differences",
    configs: [watching("a"), somethingElse, watching("a")],
    forgets: true,
    expected: compared("a"),
  },
];

describe("after other settings the log has", { concurrency: 4 }, () => {
  for (const { expected, unchanged: _, ...row } of rows)
    test(row.name, async (t) => {
      const events = await play(t, { down: life, ...row });
      if (events !== undefined) assert.deepEqual(events.toSorted(), expected.toSorted());
    });
});

describe("after other settings, where nothing has changed, the log has no event of an object that it knows", {
  concurrency: 4,
}, () => {
  for (const { name, configs, forgets = false, unchanged = [] } of rows)
    test(name.replace(/:.*/, ""), async (t) => {
      const events = await play(t, { configs, forgets });
      if (events !== undefined) assert.deepEqual(events.toSorted(), unchanged.toSorted());
    });
});
