import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { ApiStatusError } from "../../../bridge/kube/api-server.ts";
import { microTime } from "../../../bridge/kube/micro-time.ts";
import type { Clock } from "../../../bridge/leader/claim.ts";
import { becomeLeader, type Leadership, LeadershipLostError, sentenceOf } from "../../../bridge/leader/leader.ts";
import {
  LeaderElectionSettings,
  type Lease,
  type LeaseSpec,
  type LeaseStore,
  resolveLease,
} from "../../../bridge/leader/lease.ts";

const EPOCH_MS = Date.UTC(2026, 10, 21);
const HOUR_MS = 3_600_000;

/** One API server's Lease and several bridges on a clock that only `advance` moves. */
function createWorld(first: LeaseSpec | undefined) {
  let nowMs = 0;
  let version = 1;
  let lease: Lease | undefined = first && { metadata: { name: "bridge", resourceVersion: "1" }, spec: first };
  const sleepers = new Set<{ readonly who: string; readonly atMs: number; readonly wake: () => void }>();
  const stopped = new Set<string>();
  const failures = new Map<string, Error>();
  const lostAnswers = new Set<string>();
  const hanging = new Set<string>();
  const put = (next: Pick<Lease, "metadata" | "spec">): Lease => {
    lease = { ...next, metadata: { ...next.metadata, resourceVersion: String(++version) } };
    return structuredClone(lease);
  };
  const conflict = () => new ApiStatusError(409, "Conflict", "changed");
  const clockOf = (who: string, skewMs: number): Clock => ({
    monotonicMs: () => nowMs + who.charCodeAt(0) * 1e6, // each process counts from elsewhere
    epochMs: () => EPOCH_MS + nowMs + skewMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { who, atMs: nowMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener("abort", () => sleepers.delete(sleeper) && reject(signal.reason), { once: true });
      }),
  });
  const storeOf = (who: string): LeaseStore => {
    const answer = async <T>(act: () => T, isWrite = true): Promise<T> => {
      if (hanging.has(who)) return await new Promise<never>(() => undefined);
      const failure = failures.get(who);
      if (failure !== undefined) throw failure;
      const result = act();
      if (isWrite && lostAnswers.delete(who)) throw new Error("the answer was lost");
      return result;
    };
    return {
      namespace: "ops",
      name: "bridge",
      read: () => answer(() => structuredClone(lease), false),
      create: (spec) =>
        answer(() => {
          if (lease !== undefined) throw conflict();
          return put({ metadata: { name: "bridge" }, spec });
        }),
      update: (read, spec) =>
        answer(() => {
          if (lease?.metadata.resourceVersion !== read.metadata.resourceVersion) throw conflict();
          return put({ ...read, spec });
        }),
    };
  };
  return {
    failures,
    lostAnswers,
    hanging,
    stopped,
    clockOf,
    storeOf,
    seconds: () => nowMs / 1000,
    lease: () => lease,
    edit(change: ((now: Lease) => Lease) | "delete") {
      if (change === "delete") lease = undefined;
      else if (lease !== undefined) put(change(lease));
    },
    async advance(ms: number) {
      const untilMs = nowMs + ms;
      for (;;) {
        await settled();
        const [next] = [...sleepers]
          .filter(({ who, atMs }) => !stopped.has(who) && atMs <= untilMs)
          .toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.atMs);
        sleepers.delete(next);
        next.wake();
      }
      nowMs = untilMs;
    },
  };
}

type Step =
  | { readonly start: string; readonly skewMs?: number; readonly random?: number }
  | { readonly wait: number }
  /** Its requests fail, or work again. */
  | { readonly fail: string; readonly with: Error | undefined }
  /** Its next write counts, but it does not hear of it. */
  | { readonly loseAnswer: string }
  /** Its requests are never answered. */
  | { readonly hang: string }
  /** SIGSTOP; a kill -9 is one that never goes on. */
  | { readonly pause: string }
  | { readonly goOn: string }
  /** As if an event was published now. */
  | { readonly publish: string }
  /** SIGTERM. */
  | { readonly stop: string }
  | { readonly edit: Parameters<ReturnType<typeof createWorld>["edit"]>[0] };

/** Runs the steps; a line for each thing that happened: the second, who, and what. */
async function play(first: LeaseSpec | undefined, steps: readonly Step[]) {
  const world = createWorld(first);
  const lines: string[] = [];
  const bridges = new Map<string, { readonly stop: AbortController; leadership?: Leadership }>();
  const note = (who: string, what: string) => lines.push(`${world.seconds()} ${who} ${what}`);
  const start = (who: string, skewMs = 0, random = 0) => {
    const bridge: { readonly stop: AbortController; leadership?: Leadership } = { stop: new AbortController() };
    bridges.set(who, bridge);
    becomeLeader(
      {
        lease: world.storeOf(who),
        identity: who,
        settings: LeaderElectionSettings.parse({}),
        clock: world.clockOf(who, skewMs),
        random: () => random,
        onState: (state) => {
          const [, sentence] = sentenceOf(state) ?? [];
          if (sentence !== undefined) note(who, sentence.replace("this bridge ", ""));
        },
      },
      bridge.stop.signal,
    ).then(
      (leadership) => {
        bridge.leadership = leadership;
      },
      () => note(who, "ended"),
    );
  };
  const publish = (who: string) => {
    try {
      bridges.get(who)?.leadership?.check();
      note(who, "publishes");
    } catch (error) {
      note(who, error instanceof LeadershipLostError ? "publishes nothing" : String(error));
    }
  };
  for (const step of steps) {
    if ("start" in step) start(step.start, step.skewMs, step.random);
    else if ("wait" in step) await world.advance(step.wait * 1000);
    else if ("fail" in step && step.with) world.failures.set(step.fail, step.with);
    else if ("fail" in step) world.failures.delete(step.fail);
    else if ("loseAnswer" in step) world.lostAnswers.add(step.loseAnswer);
    else if ("hang" in step) world.hanging.add(step.hang);
    else if ("pause" in step) world.stopped.add(step.pause);
    else if ("goOn" in step) world.stopped.delete(step.goOn);
    else if ("publish" in step) publish(step.publish);
    else if ("edit" in step) world.edit(step.edit);
    else {
      bridges.get(step.stop)?.stop.abort();
      await bridges.get(step.stop)?.leadership?.release();
    }
    if (!("wait" in step)) await world.advance(0);
  }
  return { lines, lease: world.lease() };
}

const heldBy = (holderIdentity: string, more: LeaseSpec = {}): LeaseSpec => ({
  holderIdentity,
  leaseDurationSeconds: 15,
  acquireTime: microTime(EPOCH_MS - HOUR_MS),
  renewTime: microTime(EPOCH_MS - HOUR_MS),
  leaseTransitions: 4,
  ...more,
});
const away = new Error("connect ECONNREFUSED");
const forbidden = new ApiStatusError(403, "Forbidden", "no");

interface Scenario {
  readonly name: string;
  readonly lease?: LeaseSpec;
  readonly steps: readonly Step[];
  readonly expected: readonly string[];
  readonly spec?: LeaseSpec;
}

const scenarios: readonly Scenario[] = [
  {
    name: "a bridge without a Lease makes one and leads",
    steps: [{ start: "a" }],
    expected: ["0 a leads"],
    spec: {
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: "2026-11-21T00:00:00.000000Z",
      renewTime: "2026-11-21T00:00:00.000000Z",
      leaseTransitions: 0,
    },
  },
  {
    name: "a released Lease is taken at once, and the change of leader is counted",
    lease: heldBy("", { leaseDurationSeconds: 1 }),
    steps: [{ start: "a" }, { wait: 5 }],
    expected: ["0 a leads"],
    spec: heldBy("a", {
      acquireTime: "2026-11-21T00:00:00.000000Z",
      renewTime: "2026-11-21T00:00:04.000000Z",
      leaseTransitions: 5,
    }),
  },
  {
    name: "a Lease whose holder is gone is taken when its duration has passed since it was first seen",
    lease: heldBy("gone"),
    steps: [{ start: "a" }, { wait: 30 }],
    expected: ["0 a standby of gone", "16 a leads"],
  },
  {
    name: "the duration that counts is the one the holder wrote",
    lease: heldBy("gone", { leaseDurationSeconds: 40 }),
    steps: [{ start: "a" }, { wait: 60 }],
    expected: ["0 a standby of gone", "40 a leads"],
  },
  {
    name: "a holder whose clock is an hour ahead is not respected longer",
    lease: heldBy("gone", { renewTime: microTime(EPOCH_MS + HOUR_MS) }),
    steps: [{ start: "a" }, { wait: 30 }],
    expected: ["0 a standby of gone", "16 a leads"],
  },
  {
    name: "a leader whose clock is an hour behind keeps its Lease",
    steps: [{ start: "a", skewMs: -HOUR_MS }, { wait: 1 }, { start: "b" }, { wait: 120 }],
    expected: ["0 a leads", "1 b standby of a"],
  },
  {
    name: "of two that start at the same moment one leads",
    steps: [{ start: "a" }, { start: "b" }, { wait: 60 }],
    expected: ["0 a leads", "0 b standby of a"],
  },
  {
    name: "standbys try every 2 s and up to 1.2 times as much later",
    lease: heldBy("gone"),
    steps: [{ start: "a", random: 1 }, { wait: 60 }],
    expected: ["0 a standby of gone", "17.6 a leads"],
  },
  {
    name: "after SIGTERM the next try of a standby leads",
    steps: [{ start: "a" }, { wait: 1 }, { start: "b" }, { wait: 9 }, { stop: "a" }, { publish: "a" }, { wait: 20 }],
    expected: [
      "0 a leads",
      "1 b standby of a",
      "10 a the Lease is released: a standby can lead",
      "10 a publishes nothing",
      "11 b leads",
    ],
  },
  {
    name: "a standby that stops leaves the Lease alone",
    lease: heldBy("gone"),
    steps: [{ start: "a" }, { wait: 1 }, { stop: "a" }, { wait: 60 }],
    expected: ["0 a standby of gone", "1 a ended"],
    spec: heldBy("gone"),
  },
  {
    name: "a killed leader is followed within lease time and one try",
    steps: [{ start: "a" }, { wait: 1 }, { start: "b" }, { wait: 19 }, { pause: "a" }, { wait: 40 }],
    expected: ["0 a leads", "1 b standby of a", "37 b leads"],
  },
  {
    name: "a leader that was paused leads no longer, whatever it does first, and the other one stays",
    steps: [
      { start: "a" },
      { wait: 1 },
      { start: "b" },
      { wait: 19 },
      { publish: "a" },
      { pause: "a" },
      { wait: 40 },
      { publish: "a" },
      { goOn: "a" },
      { wait: 40 },
      { publish: "b" },
    ],
    expected: [
      "0 a leads",
      "1 b standby of a",
      "20 a publishes",
      "37 b leads",
      "60 a leads no longer: the Lease was not renewed for 10 s (no answer came, or this process was paused)",
      "60 a publishes nothing",
      "100 b publishes",
    ],
  },
  {
    name: "an API server that is away for less than the renew deadline changes nothing",
    steps: [
      { start: "a" },
      { wait: 5 },
      { fail: "a", with: away },
      { wait: 6 },
      { fail: "a", with: undefined },
      { wait: 60 },
    ],
    expected: [
      "0 a leads",
      "6 a the Lease could not be renewed, trying again: Lease ops/bridge: connect ECONNREFUSED",
      "12 a leads",
    ],
  },
  {
    name: "a leader that cannot renew stops 10 s after its last renewal, before anybody can follow",
    steps: [{ start: "a" }, { wait: 1 }, { start: "b" }, { wait: 4 }, { fail: "a", with: away }, { wait: 60 }],
    expected: [
      "0 a leads",
      "1 b standby of a",
      "6 a the Lease could not be renewed, trying again: Lease ops/bridge: connect ECONNREFUSED",
      "14 a leads no longer: the Lease was not renewed for 10 s (Lease ops/bridge: connect ECONNREFUSED)",
      "21 b leads",
    ],
  },
  {
    name: "a leader whose renewal hangs stops just as early",
    steps: [{ start: "a" }, { wait: 5 }, { hang: "a" }, { wait: 60 }],
    expected: [
      "0 a leads",
      "14 a leads no longer: the Lease was not renewed for 10 s (no answer came, or this process was paused)",
    ],
  },
  {
    name: "a standby waits for an API server that is away",
    steps: [{ fail: "a", with: away }, { start: "a" }, { wait: 600 }, { fail: "a", with: undefined }, { wait: 10 }],
    expected: ["0 a Lease ops/bridge: connect ECONNREFUSED", "602 a leads"],
  },
  {
    name: "a missing right is told as the rule to add",
    steps: [{ fail: "a", with: forbidden }, { start: "a" }, { wait: 60 }],
    expected: [
      '0 a Lease ops/bridge: forbidden (403). Add this rule to a Role in ops: {apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"]}',
    ],
  },
  {
    name: "a leader that finds another holder stops at once",
    steps: [{ start: "a" }, { wait: 5 }, { edit: (now) => ({ ...now, spec: heldBy("thief") }) }, { wait: 60 }],
    expected: ["0 a leads", "6 a leads no longer: thief leads"],
    spec: heldBy("thief"),
  },
  {
    name: "a renewal that counted without an answer is no loss",
    steps: [{ start: "a" }, { wait: 5 }, { loseAnswer: "a" }, { wait: 60 }],
    expected: [
      "0 a leads",
      "6 a the Lease could not be renewed, trying again: Lease ops/bridge: the answer was lost",
      "8 a leads",
    ],
  },
  {
    name: "a Lease that was won without an answer is found to be one's own",
    lease: heldBy("", { leaseTransitions: 4 }),
    steps: [{ loseAnswer: "a" }, { start: "a" }, { wait: 3 }],
    expected: ["0 a Lease ops/bridge: the answer was lost", "2 a leads"],
    spec: heldBy("a", {
      acquireTime: "2026-11-21T00:00:00.000000Z",
      renewTime: "2026-11-21T00:00:02.000000Z",
      leaseTransitions: 5,
    }),
  },
  {
    name: "a deleted Lease is made again by the leader",
    steps: [{ start: "a" }, { wait: 5 }, { edit: "delete" }, { wait: 1 }, { start: "b" }, { wait: 60 }],
    expected: ["0 a leads", "6 b standby of a"],
  },
];

describe("leader election", () => {
  for (const { name, lease, steps, expected, spec } of scenarios) {
    test(name, async () => {
      const played = await play(lease, steps);
      assert.deepEqual(played.lines, expected);
      if (spec !== undefined) assert.deepEqual(played.lease?.spec, spec);
    });
  }

  test("keeps what others write beside it on the Lease", async () => {
    const labels = { team: "data" };
    const edit = (now: Lease): Lease => ({ ...now, metadata: { ...now.metadata, labels } });
    const { lines, lease } = await play(undefined, [{ start: "a" }, { wait: 5 }, { edit }, { wait: 20 }]);
    assert.deepEqual(lines, ["0 a leads"]);
    assert.deepEqual(lease?.metadata["labels"], labels);
    assert.equal(lease?.spec.renewTime, "2026-11-21T00:00:24.000000Z");
  });
});

describe("whether a bridge elects, and by which Lease", () => {
  const folder = mkdtempSync(join(tmpdir(), "lease-"));
  const file = join(folder, "namespace");
  writeFileSync(file, "of-the-pod\n");
  process.once("exit", () => rmSync(folder, { recursive: true }));
  const rows = [
    { name: "outside of a Pod it does not", expected: undefined },
    {
      name: "in a Pod it does, in the Pod's namespace, and the cluster gives the name",
      namespaceFile: file,
      expected: { namespace: "of-the-pod", name: "cr-reactor-dev-bridge" },
    },
    {
      name: "POD_NAMESPACE counts as a Pod",
      environment: { POD_NAMESPACE: "told" },
      namespaceFile: file,
      expected: { namespace: "told", name: "cr-reactor-dev-bridge" },
    },
    {
      name: "in a Pod with a kubeconfig, which may be of another cluster, it does not",
      kubernetes: { kubeconfig: "/etc/kubeconfig" },
      namespaceFile: file,
      expected: undefined,
    },
    {
      name: "what the configuration says wins",
      settings: { namespace: "ops", name: "left" },
      environment: { POD_NAMESPACE: "told" },
      expected: { namespace: "ops", name: "left" },
    },
    {
      name: "it can be switched off in a Pod",
      settings: { enabled: false },
      namespaceFile: file,
      expected: undefined,
    },
    {
      name: "it can be switched on with a kubeconfig",
      settings: { enabled: true, namespace: "ops" },
      kubernetes: { kubeconfig: "/etc/kubeconfig" },
      expected: { namespace: "ops", name: "cr-reactor-dev-bridge" },
    },
  ];
  for (const { name, settings = {}, kubernetes = {}, environment = {}, namespaceFile = "", expected } of rows) {
    test(name, () => {
      const election = LeaderElectionSettings.parse(settings);
      assert.deepEqual(resolveLease(election, "dev", kubernetes, environment, namespaceFile), expected);
    });
  }

  test("switched on without a namespace it says what to set", () => {
    const settings = LeaderElectionSettings.parse({ enabled: true });
    assert.throws(() => resolveLease(settings, "dev", {}, {}, ""), /set leaderElection\.namespace or POD_NAMESPACE/);
  });

  const refused = [
    {
      name: "a deadline not before the end of the Lease",
      leaseSeconds: 10,
      expected: /must be less than leaseSeconds/,
    },
    { name: "no time for a second try", retrySeconds: 9, expected: /must leave room for a second try/ },
    { name: "a name that no object can have", name_: "Bridge", expected: /expected the name of an object/ },
  ];
  for (const { name, name_, expected, ...settings } of refused) {
    test(`settings with ${name} are refused`, () => {
      const { error } = LeaderElectionSettings.safeParse({ ...settings, ...(name_ && { name: name_ }) });
      assert.match(String(error?.message), expected);
    });
  }
});
