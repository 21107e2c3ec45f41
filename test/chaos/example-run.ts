/**
 * A small run as a bridge without a flaw leaves it behind, and the ways to put a flaw into it: what the checker is tested with. Its
 * events are made by the bridge's own `seal`, so that they are as real as they can be without a server.
 */
import assert from "node:assert/strict";
import { parseEnvelope } from "#contract";
import { watchedResource } from "../../bridge/capture/resource.ts";
import { type ObservedState, seal } from "../../bridge/event/seal.ts";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";
import { versionIn } from "../../bridge/log/epoch.ts";
import type { Evidence, SeenEvent } from "./evidence.ts";
import { type LedgerLine, stateDigest } from "./ledger.ts";

/** When the run of the example starts, in epoch milliseconds; a deed of version n happens n seconds later. */
export const START_MS = Date.parse("2026-11-20T10:00:00.000Z");
const RESOURCE = watchedResource(
  "chaos",
  { apiVersion: "chaos.example.com/v1", kind: "Widget", phase: "status.phase", ignore: [] },
  { plural: "widgets", namespaced: true },
  undefined,
);

const NO_LOSSES = { restores: [], wipesMs: [], earlier: [] };

/** One thing that happened: to whom, at which version, and what is new; `size: null` is the deletion. */
export interface Deed {
  readonly name: string;
  readonly uid: string;
  readonly version: number;
  readonly size: number | null;
  readonly phase?: string;
  /** There is no event of its own: nobody could see it. */
  readonly hidden?: true;
  readonly gap?: true;
  /** In a later epoch its second has to be told: versions go back. */
  readonly epoch?: number;
  /** The second in which it happens. Default: its version. */
  readonly at?: number;
  /** Nobody did it: it is what was found when etcd was restored. */
  readonly found?: true;
  /** Told once more, without being done: the log was lost. */
  readonly again?: true;
  /** Default: what follows from the deeds before. */
  readonly op?: "existing" | "created";
}

/** Two objects side by side; the first one is deleted and created again under its name. */
export const DEEDS: readonly Deed[] = [
  { name: "a.b", uid: "u1", version: 11, size: 1, phase: "Not Ready" },
  { name: "other", uid: "u2", version: 12, size: 1, phase: "*" },
  { name: "a.b", uid: "u1", version: 13, size: 2, phase: "Not Ready" },
  { name: "a.b", uid: "u1", version: 14, size: 2, phase: "a>b" },
  { name: "other", uid: "u2", version: 15, size: 7, phase: "*" },
  { name: "a.b", uid: "u1", version: 16, size: null },
  { name: "a.b", uid: "u3", version: 17, size: 3 },
  { name: "other", uid: "u2", version: 18, size: 8, phase: "*" },
  { name: "a.b", uid: "u3", version: 19, size: 4 },
];

/** The object as a deed left it. */
export function widget({ name, uid, version, size, phase }: Deed): KubeObject {
  const metadata = { name, namespace: "shop", uid, resourceVersion: String(version) };
  const status = phase === undefined ? {} : { status: { phase } };
  return { apiVersion: "chaos.example.com/v1", kind: "Widget", metadata, spec: { size }, ...status };
}

/** What a bridge without a flaw leaves behind of these deeds. */
export function faultless(deeds: readonly Deed[] = DEEDS): Evidence {
  const states = new Map<string, ObservedState>();
  const newest = new Map<string, Deed>();
  const events: SeenEvent[] = [];
  const ledger: LedgerLine[] = [];
  for (const deed of deeds) {
    const { epoch = 1, at = deed.version } = deed;
    const seenAtMs = START_MS + at * 1_000;
    const isGone = deed.size === null;
    const before = states.get(deed.name);
    const live = isGone ? undefined : widget(deed);
    newest.set(deed.name, deed);
    if (!deed.again) ledger.push(lineOf(deed, live, before !== undefined, seenAtMs));
    if (deed.hidden) continue;
    const op = deed.op ?? (isGone ? "deleted" : before === undefined ? "created" : "updated");
    const subject = live ?? before?.object;
    assert.ok(subject, "only what is there can be deleted");
    const resourceVersion = versionIn(epoch, String(deed.version));
    const sealed = seal(RESOURCE, { op, object: subject, before, resourceVersion, gap: deed.gap ?? false, seenAtMs });
    assert.ok(sealed, "every deed changes something");
    const envelope = parseEnvelope(sealed.payload);
    events.push({ sequence: events.length + 1, subject: sealed.subject, messageId: sealed.id, envelope });
    if (isGone) states.delete(deed.name);
    else states.set(deed.name, sealed.after);
  }
  const final = [...newest.values()].filter(({ size }) => size !== null).map(widget);
  return { ledger, events, final, start: { fromMs: START_MS, toMs: START_MS + 1 }, blind: [], ...NO_LOSSES };
}

function lineOf(deed: Deed, live: KubeObject | undefined, isKnown: boolean, seenAtMs: number): LedgerLine {
  const operation = live === undefined ? "deleted" : isKnown ? "spec" : "create";
  return {
    epoch: deed.epoch ?? 1,
    operation: deed.found ? "found" : operation,
    object: `shop/${deed.name}`,
    path: `/apis/chaos.example.com/v1/namespaces/shop/widgets/${deed.name}`,
    uid: deed.uid,
    resourceVersion: live === undefined ? null : String(deed.version),
    digest: live === undefined ? null : stateDigest(live),
    fromMs: seenAtMs - 2,
    timeMs: seenAtMs - 1,
  };
}

/** The same run with the events changed; they are numbered again, as a stream would. */
export function withEvents(
  evidence: Evidence,
  change: (events: SeenEvent[]) => readonly (SeenEvent | undefined)[],
): Evidence {
  const events = change([...evidence.events]).filter((event) => event !== undefined);
  return { ...evidence, events: events.map((event, index) => ({ ...event, sequence: index + 1 })) };
}

/** The run with one event's envelope changed. */
export function withEnvelope(
  evidence: Evidence,
  at: number,
  change: (envelope: SeenEvent["envelope"]) => void,
): Evidence {
  return withEvents(evidence, (events) =>
    events.map((event, index) => {
      if (index !== at) return event;
      const envelope = structuredClone(event.envelope);
      change(envelope);
      return { ...event, envelope };
    }),
  );
}

/** The deeds with the one of this version changed. */
export const deedsWith = (version: number, change: Partial<Deed>): readonly Deed[] =>
  DEEDS.map((deed) => (deed.version === version ? { ...deed, ...change } : deed));
/** The deeds with those of these versions done while nobody could see. */
export const deedsHiding = (...versions: readonly number[]): readonly Deed[] =>
  DEEDS.map((deed) => (versions.includes(deed.version) ? { ...deed, hidden: true as const } : deed));
/** A time without history around the deeds of these versions. */
export const blindAround = (fromVersion: number, toVersion: number) => ({
  blind: [{ fromMs: START_MS + fromVersion * 1_000 - 500, toMs: START_MS + toVersion * 1_000 + 500 }],
});
