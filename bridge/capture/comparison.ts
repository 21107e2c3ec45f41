/**
 * Compares one resource of the cluster with the log. The list is read first and the log's index after it, so that whatever the list has,
 * a log that is up to date has too; a log that is newer than the list is no difference. What differs is looked at again, several times:
 * the bridge is some milliseconds behind, and objects change while both are read. What counts is whether the log has reached the version
 * that was listed, so that an object that changes all the time is no difference.
 *
 * Memory: uid, two versions and the key of each listed object, and one page of the list; the index is read as a stream.
 * Source: DESIGN, G1 and G5.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { SentEnvelope } from "../event/envelope.ts";
import type { Sighting } from "../event/occurrence.ts";
import { type ObservedState, seal, TooDeepError } from "../event/seal.ts";
import type { ApiServer } from "../kube/api-server.ts";
import { compareResourceVersions, type KubeObject } from "../kube/kube-object.ts";
import { currentVersion, metadataPages } from "../kube/metadata-list.ts";
import { BlobLostError } from "../log/blob.ts";
import { versionIn } from "../log/epoch.ts";
import { type EventLog, readLast } from "../log/event-log.ts";
import type { KnownObject } from "../log/store.ts";
import { objectSubject } from "../log/subject.ts";
import { createLanes } from "./lane.ts";
import { resourceSubjects, type WatchedResource } from "./resource.ts";
import { occurrenceOf, readSelected } from "./sighting.ts";

/** `missing`: not alive in the log; `stale`: older there; `replaced`: another one of its name there; `ghost`: alive only there. */
export const DIFFERENCE_KINDS = ["missing", "stale", "replaced", "ghost"] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** An object that the cluster and the log disagree about. Versions are in the form that orders across epochs. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** The first six tokens of its subjects. */
  readonly object: string;
  /** As it was listed; `undefined`: it was not. */
  readonly listed: { readonly uid: string; readonly version: string } | undefined;
  /** What the log has of it: the version of its last event. */
  readonly logged: string | undefined;
  /** As it is in the cluster, and selected, now. */
  readonly found: KubeObject | undefined;
  /** The list's resourceVersion. */
  readonly listVersion: string;
}

/** What is compared, and whom to tell. */
export interface ComparisonOptions {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  readonly log: EventLog;
  readonly epoch: number;
  /** How long the log is given to catch up, before each further look. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Whether this version was already compared with the event of this sequence, and there was nothing to tell. Default: none was. */
  readonly isSettled?: (object: string, version: string, sequence: number) => boolean;
  /** Whether events up to this resourceVersion are still on their way into the log. Default: never. */
  readonly isBehind?: (resourceVersion: string) => boolean;
  /** Objects listed so far. */
  readonly onListed?: (objects: number) => void;
  readonly onDifference: (difference: Difference) => Promise<void>;
}

/** How much was compared. */
export interface Comparison {
  readonly objects: number;
  /** Objects that are alive in the log. */
  readonly known: number;
}

/** The two cannot be compared now. */
export class ComparisonError extends Error {
  readonly code = "COMPARISON";
  override readonly name = "ComparisonError";
}

/** Further looks at what differs; of an object that may only differ in ignored paths each of them must find another difference. */
const LOOKS = 3;
/** A bridge that is still behind after so many looks has other trouble, and says so itself. */
const LOOKS_MAX = 20;
/** Objects looked at together: gentle on the API server. */
const LOOKUPS_MAX = 8;

type Logged = Pick<KnownObject, "uid" | "resourceVersion" | "sequence" | "absence">;
type Listed = NonNullable<Difference["listed"]>;
type Row = Listed & { logged: Logged | undefined };

interface List {
  readonly rows: Map<string, Row>;
  /** Its resourceVersion, and the same with its epoch. */
  readonly resourceVersion: string;
  readonly version: string;
}

/**
 * Tells each difference that is still there after every look. Throws ComparisonError when etcd was restored or the bridge stays behind,
 * and whatever the API server or NATS answers instead of data.
 */
export async function compareWithLog(options: ComparisonOptions): Promise<Comparison> {
  const list = await readList(options);
  const unlisted = await readLog(options, list);
  const candidates = new Map<string, Listed | undefined>();
  let known = unlisted.size;
  for (const [object, row] of list.rows) {
    const { logged, version } = row;
    if (isAlive(logged)) known++;
    if (isCaughtUp(row, logged, list.version)) continue;
    if (logged?.uid === row.uid && options.isSettled?.(object, version, logged.sequence)) continue;
    candidates.set(object, { uid: row.uid, version });
  }
  for (const [object, logged] of unlisted) {
    if (!isCaughtUp(undefined, logged, list.version)) candidates.set(object, undefined);
  }
  const objects = list.rows.size;
  list.rows.clear();
  await lookAgain(options, candidates, list);
  return { objects, known };
}

/** Whether the log has reached what the list of this version said about the object. */
export function isCaughtUp(listed: Listed | undefined, logged: Logged | undefined, listVersion: string): boolean {
  if (logged === undefined) return listed === undefined;
  if (compareResourceVersions(logged.resourceVersion, listVersion) > 0) return true;
  if (listed === undefined || !isAlive(logged)) return listed === undefined && !isAlive(logged);
  return logged.uid === listed.uid && compareResourceVersions(logged.resourceVersion, listed.version) >= 0;
}

async function readList(options: ComparisonOptions): Promise<List> {
  const { resource, epoch, onListed } = options;
  const rows = new Map<string, Row>();
  let resourceVersion = "";
  for await (const { metadata: list, items } of metadataPages(options)) {
    ({ resourceVersion } = list);
    for (const { metadata } of items ?? []) {
      const { name, namespace = "", uid } = metadata;
      const version = versionIn(epoch, metadata.resourceVersion);
      rows.set(objectSubject({ ...resource, namespace, name }), { uid, version, logged: undefined });
    }
    onListed?.(rows.size);
  }
  return { rows, resourceVersion, version: versionIn(epoch, resourceVersion) };
}

/** Notes at each listed object what the log has of it; answers what is alive in the log and was not listed. */
async function readLog(options: ComparisonOptions, { rows, version }: List): Promise<ReadonlyMap<string, Logged>> {
  const { log, resource, epoch, signal } = options;
  const unlisted = new Map<string, Logged>();
  let newest = version;
  for await (const { object, sequence, event } of log.readIndex(resourceSubjects(resource), signal)) {
    if (event === undefined) continue;
    if (compareResourceVersions(event.resourceVersion, newest) > 0) newest = event.resourceVersion;
    const row = rows.get(object);
    // The list's own uid, where it is the same: the header's would keep the whole message's headers in memory.
    if (row !== undefined) row.logged = { ...event, uid: event.uid === row.uid ? row.uid : event.uid, sequence };
    else if (event.absence) unlisted.delete(object);
    else unlisted.set(object, { ...event, sequence });
  }
  signal.throwIfAborted(); // the index ends early then
  if (newest === version) return unlisted;
  if (compareResourceVersions(newest, versionIn(epoch, await currentVersion(options))) <= 0) return unlisted;
  throw new ComparisonError(
    `the log is newer than the cluster: etcd was restored from a backup, or this is another cluster. A running bridge notices a restore and compares everything; check that kubernetes.context names the cluster that was captured`,
  );
}

/** Looks at the candidates until they have caught up, or have had the time for it. */
async function lookAgain(
  options: ComparisonOptions,
  candidates: Map<string, Listed | undefined>,
  list: List,
): Promise<void> {
  for (let look = 1; candidates.size > 0; look++) {
    await sleep(options.graceMs, undefined, { signal: options.signal });
    const isLast = look >= LOOKS && options.isBehind?.(list.resourceVersion) !== true;
    if (!isLast && look === LOOKS_MAX) throw new ComparisonError("the bridge is too far behind to be compared now");
    const lanes = createLanes(LOOKUPS_MAX);
    for (const [object, listed] of candidates) {
      await lanes.enqueue(object, async () => {
        const difference = await differenceNow(options, object, listed, list, isLast);
        if (difference === undefined) candidates.delete(object);
        else if (isLast) await options.onDifference(difference);
      });
    }
    await lanes.idle();
    if (isLast) return;
  }
}

async function differenceNow(
  options: ComparisonOptions,
  object: string,
  listed: Listed | undefined,
  list: List,
  isLast: boolean,
): Promise<Difference | undefined> {
  options.signal.throwIfAborted();
  const { known, state } = await readLogged(options, object);
  if (isCaughtUp(listed, known, list.version)) return undefined;
  const common = { object, listed, logged: known?.resourceVersion, listVersion: list.resourceVersion };
  const isStale = known?.uid === listed?.uid && isAlive(known);
  // Until the last look only what may differ in ignored paths alone needs the object.
  if (!isLast && !isStale) return { ...common, kind: "missing", found: undefined };
  const found = await readSelected({ ...options, key: object });
  const kind = kindOf(options, known, state, found);
  return kind && { ...common, kind, found };
}

interface Last {
  readonly known: KnownObject | undefined;
  readonly state?: ObservedState | undefined;
}

async function readLogged({ log, resource, signal }: ComparisonOptions, object: string): Promise<Last> {
  /** A state whose data is lost differs from any other. */
  const stateOf = (envelope: SentEnvelope) =>
    log.stateAfter(envelope, resource.redaction).catch((error: unknown) => {
      if (error instanceof BlobLostError) return undefined;
      throw error;
    });
  const last = await readLast(log, object, signal);
  if (last === undefined) return { known: undefined };
  const { known } = last;
  const envelope = last.envelope ?? (known.sequence > 0 ? (await log.eventAt(known.sequence))?.envelope : undefined);
  return { known, state: envelope && (await stateOf(envelope)) };
}

function kindOf(
  { resource, epoch }: ComparisonOptions,
  known: KnownObject | undefined,
  state: ObservedState | undefined,
  found: KubeObject | undefined,
): DifferenceKind | undefined {
  if (found === undefined) return isAlive(known) ? "ghost" : undefined;
  if (known === undefined || !isAlive(known)) return "missing";
  if (known.uid !== found.metadata.uid) return "replaced";
  const sighting = sightingOf(found, epoch);
  return state !== undefined && isTold(resource, sighting, state) ? undefined : "stale";
}

/** Whether there is nothing to tell of the object beyond this state, or nothing that can be told. */
function isTold(resource: WatchedResource, sighting: Sighting, state: ObservedState): boolean {
  try {
    return seal(resource, occurrenceOf(sighting, { op: "updated", gap: true }, state, Date.now())) === undefined;
  } catch (error) {
    if (error instanceof TooDeepError) return true;
    throw error;
  }
}

function isAlive(known: Pick<KnownObject, "absence"> | undefined): boolean {
  return known !== undefined && known.absence === undefined;
}

/** An object as a list would have revealed it, of a watch that knows what was there before. */
export function sightingOf(object: KubeObject, epoch: number): Sighting {
  return { type: "initial", object, firstSight: false, epoch };
}
