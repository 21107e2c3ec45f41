/**
 * A small run as a bridge without a flaw leaves it behind, and the ways to put a flaw into it: what the checker is tested with. Its
 * events are made by the bridge's own `seal`, so that they are as real as they can be without a server.
 */
import assert from "node:assert/strict";
import { parseEnvelope } from "#contract";
import type { KubeObject } from "../../bridge/kube-object.ts";
import { watchedResource } from "../../bridge/resource.ts";
import { type ObservedState, seal } from "../../bridge/seal.ts";
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
    const object = `shop/${deed.name}`;
    const seenAtMs = START_MS + deed.version * 1_000;
    const isGone = deed.size === null;
    const before = states.get(deed.name);
    const live = isGone ? undefined : widget(deed);
    newest.set(deed.name, deed);
    ledger.push({
      operation: isGone ? "deleted" : before === undefined ? "create" : "spec",
      object,
      path: `/apis/chaos.example.com/v1/namespaces/shop/widgets/${deed.name}`,
      uid: deed.uid,
      resourceVersion: isGone ? null : String(deed.version),
      digest: live === undefined ? null : stateDigest(live),
      fromMs: seenAtMs - 2,
      timeMs: seenAtMs - 1,
    });
    if (deed.hidden) continue;
    const op = isGone ? "deleted" : before === undefined ? "created" : "updated";
    const subject = live ?? before?.object;
    assert.ok(subject, "only what is there can be deleted");
    const resourceVersion = String(deed.version);
    const sealed = seal(RESOURCE, { op, object: subject, before, resourceVersion, gap: deed.gap ?? false, seenAtMs });
    assert.ok(sealed, "every deed changes something");
    const envelope = parseEnvelope(sealed.payload);
    events.push({ sequence: events.length + 1, subject: sealed.subject, messageId: sealed.id, envelope });
    if (isGone) states.delete(deed.name);
    else states.set(deed.name, sealed.after);
  }
  const final = [...newest.values()].filter(({ size }) => size !== null).map(widget);
  return { ledger, events, final, start: { fromMs: START_MS, toMs: START_MS + 1 }, blind: [] };
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
