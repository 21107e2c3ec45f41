/**
 * What is known of the objects of one watch beyond their events: how many are in which phase, since when, and what the configuration
 * wants to know. It follows what is read from the API server, not what is published, so it is right also about ignored paths, and while
 * NATS is away. Since when a phase holds is taken from the log's index for what was there before the process.
 *
 * Memory: one entry an object (0.2 KB, measured), in which what many objects have in common is shared; counting is done when somebody asks.
 */
import type { WatchedResource } from "../capture/resource.ts";
import { conditionStatuses, phaseOf, reconciliationOf } from "../event/transitions.ts";
import type { KubeObject } from "../kube/kube-object.ts";
import { resourceVersionOf } from "../log/epoch.ts";
import type { IndexEntry } from "../log/event-log.ts";
import { encodePhase, opIn, parseObjectSubject, phaseTokenIn } from "../log/subject.ts";
import { type ObjectValue, type ObjectWishes, objectReader } from "./object-metric.ts";

/** What many objects have in common. */
export interface Standing {
  readonly phase: string | undefined;
  /** Type and status. */
  readonly conditions: readonly (readonly [string, string])[];
}

/** One object. Times are seconds since 1970; 0: not. */
export interface CountedObject {
  readonly standing: Standing;
  readonly phaseSince: number;
  /** Since when its spec has been ahead of what its status is about. */
  readonly aheadSince: number;
  readonly terminatingSince: number;
  /** A bit for each configured pair. */
  readonly diverged: number;
  readonly values: readonly ObjectValue[] | undefined;
}

type Entry = { -readonly [K in keyof CountedObject]: CountedObject[K] } & {
  /** As a number: exact enough to tell older from newer. */
  version: number;
  list: number;
  createdAt: number;
};

/** The objects of one watch. */
export interface Census {
  readonly title: string;
  readonly resource: Pick<WatchedResource, "group" | "kind" | "plural">;
  readonly wishes: ObjectWishes;
  /** Hears of each entry of the log's index, oldest first, before any object is seen. */
  indexed(entry: IndexEntry): void;
  /** A list begins; what it does not have is not counted once it is `listed`. */
  listing(): void;
  listed(): void;
  /** Versions have gone back. */
  rewound(): void;
  /** As it is, after redaction; older than what is known, it counts for nothing. */
  saw(object: KubeObject): void;
  /** It is gone, or left the selection. */
  left(object: KubeObject): void;
  objects(): Generator<readonly [namespace: string, name: string, object: CountedObject], void, void>;
}

/** What a census is made with. */
export interface CensusOptions {
  readonly title: string;
  readonly resource: WatchedResource;
  readonly wishes?: ObjectWishes;
  /** Hears how long a phase was held that an object has left. */
  readonly onPhaseLeft: (phase: string, seconds: number) => void;
  /** Seconds since 1970; for tests. */
  readonly now?: () => number;
}

/** Different standings that are shared; where there are more, the texts are somebody's prose. */
const STANDINGS_MAX = 10_000;
/** Text of somebody else's choosing is cut. */
const TEXT_LENGTH_MAX = 128;
const CONDITIONS_MAX = 32;

/** What the log says of the phase of an object. */
interface Expectation {
  /** Empty: it was born without one; `undefined`: the phase is not told, only since when it has been known. */
  readonly token: string | undefined;
  readonly since: number;
  /** Of its newest event. */
  readonly version: number;
}

/** Makes an empty census. */
export function createCensus(options: CensusOptions): Census {
  const { title, resource, wishes = { metrics: [], diverged: [] }, onPhaseLeft } = options;
  const now = options.now ?? (() => Date.now() / 1000);
  const reader = objectReader(wishes);
  const share = standings();
  /** By namespace and name. */
  const namespaces = new Map<string, Map<string, Entry>>();
  let expected: Map<string, Expectation> | undefined = new Map();
  /** Newest versions of what left before any list was complete: a page that is older does not bring it back. */
  let gone: Map<string, number> | undefined = new Map();
  let list = 0;

  const remove = (namespace: string, name: string) => {
    const names = namespaces.get(namespace);
    names?.delete(name);
    if (names?.size === 0) namespaces.delete(namespace);
  };
  const takeExpectation = (key: string): Expectation | undefined => {
    const found = expected?.get(key);
    expected?.delete(key);
    return found;
  };
  return {
    title,
    resource,
    wishes,
    indexed({ object, event, subject, storedAtMs }) {
      if (event === undefined || expected === undefined) return;
      const { namespace, name } = parseObjectSubject(object);
      const key = keyOf(namespace, name);
      if (event.absence !== undefined) return void expected.delete(key);
      const version = Number(resourceVersionOf(event.resourceVersion));
      const since = Math.floor(storedAtMs / 1000);
      const known = expected.get(key);
      const op = opIn(subject);
      const token = phaseTokenIn(subject) ?? (op === "created" ? "" : undefined);
      const isNews = token !== undefined || op === "existing" || known === undefined;
      expected.set(key, isNews ? { token, since, version } : { ...known, version });
    },
    listing() {
      list++;
    },
    listed() {
      for (const [namespace, names] of namespaces) {
        for (const [name, entry] of names) if (entry.list !== list) remove(namespace, name);
      }
      expected = undefined;
      gone = undefined;
    },
    rewound() {
      namespaces.clear();
    },
    saw(object) {
      const { namespace = "", name } = object.metadata;
      const version = Number(object.metadata.resourceVersion);
      const key = keyOf(namespace, name);
      const names = namespaces.get(namespace) ?? new Map<string, Entry>();
      const known = names.get(name);
      if ((known?.version ?? 0) > version || (gone?.get(key) ?? 0) > version) {
        if (known !== undefined) known.list = list;
        return;
      }
      const createdAt = secondsOf(object.metadata.creationTimestamp) ?? 0;
      const before = known?.createdAt === createdAt ? known : undefined;
      const at = Math.floor(now());
      const standing = share(object, resource.phase);
      const told = before === undefined ? takeExpectation(key) : undefined;
      const phaseSince = phaseSinceOf({ object, resource, standing, before, told, createdAt, at });
      if (known?.standing.phase !== undefined && (before === undefined || standing.phase !== before.standing.phase))
        onPhaseLeft(known.standing.phase, Math.max(0, phaseSince - known.phaseSince));
      const entry: Entry = {
        version,
        list,
        createdAt,
        standing,
        phaseSince,
        aheadSince: aheadSinceOf(object, before, at),
        terminatingSince: secondsOf(object.metadata.deletionTimestamp) ?? 0,
        diverged: reader.diverged(object),
        values: reader.values(object),
      };
      if (names.size === 0) namespaces.set(namespace, names);
      names.set(name, entry);
    },
    left(object) {
      const { namespace = "", name } = object.metadata;
      const known = namespaces.get(namespace)?.get(name);
      const version = Number(object.metadata.resourceVersion);
      gone?.set(keyOf(namespace, name), version);
      expected?.delete(keyOf(namespace, name));
      if (known === undefined || known.version > version) return;
      if (known.standing.phase !== undefined)
        onPhaseLeft(known.standing.phase, Math.max(0, Math.floor(now()) - known.phaseSince));
      remove(namespace, name);
    },
    *objects() {
      for (const [namespace, names] of namespaces) for (const [name, entry] of names) yield [namespace, name, entry];
    },
  };
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** Reads the standing of objects; the same for all that have the same. */
function standings(): (object: KubeObject, source: WatchedResource["phase"]) => Standing {
  const shared = new Map<string, Standing>();
  return (object, source) => {
    const phase = phaseOf(object, source, undefined, "")?.name.slice(0, TEXT_LENGTH_MAX);
    const conditions = conditionStatuses(object, CONDITIONS_MAX, TEXT_LENGTH_MAX);
    let key = phase === undefined ? "" : `=${phase.length}:${phase}`;
    for (const [type, status] of conditions) key += ` ${type.length}:${type}${status.length}:${status}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    if (shared.size >= STANDINGS_MAX) shared.clear();
    const standing = { phase, conditions };
    shared.set(key, standing);
    return standing;
  };
}

interface PhaseQuestion {
  readonly object: KubeObject;
  readonly resource: WatchedResource;
  readonly standing: Standing;
  readonly before: CountedObject | undefined;
  readonly told: Expectation | undefined;
  readonly createdAt: number;
  readonly at: number;
}

/** A condition tells it by itself; else what was known, or what the log says of this very phase; else now. */
function phaseSinceOf({ object, resource, standing, before, told, createdAt, at }: PhaseQuestion): number {
  const { phase } = standing;
  if (phase === undefined) return 0;
  const own = secondsOf(phaseOf(object, resource.phase, undefined, "")?.since);
  if (own !== undefined) return Math.min(own, at);
  if (before !== undefined) return before.standing.phase === phase ? before.phaseSince : at;
  if (told === undefined || told.since < createdAt) return at; // the log may tell of an earlier life
  const isSame =
    told.token === undefined
      ? Number(object.metadata.resourceVersion) === told.version
      : told.token === encodePhase(phase);
  return isSame ? told.since : at;
}

/** An object that is seen for the first time has been ahead since the last write to what is not its status. */
function aheadSinceOf(object: KubeObject, before: CountedObject | undefined, at: number): number {
  const { generation, observedGeneration } = reconciliationOf(object) ?? { generation: 0, observedGeneration: 0 };
  if (generation <= observedGeneration) return 0;
  if (before !== undefined) return before.aheadSince || at;
  let written = 0;
  for (const { time, subresource } of object.metadata.managedFields ?? []) {
    if (!subresource) written = Math.max(written, secondsOf(time) ?? 0);
  }
  return Math.min(written || at, at);
}

/** Whole seconds of an RFC 3339 time; `undefined` for what is none. */
function secondsOf(time: string | null | undefined): number | undefined {
  if (!time) return undefined;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}
