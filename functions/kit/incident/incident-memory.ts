/**
 * Where the incidents of objects are remembered: the seam between `incident` and its two memories (NATS, and the process). Of two writers
 * that have read the same, one is refused.
 */
import type { Envelope } from "#contract";
import type { IncidentRecord } from "./incident-record.ts";

/** Names one object, for one subscription. */
export interface IncidentKey {
  readonly subscription: string;
  readonly cluster: string;
  readonly uid: string;
}

/** What is remembered now; `revision` is what a write has to name. */
export interface FoundRecord {
  readonly record: IncidentRecord | undefined;
  readonly revision: number;
}

/** The memory of incidents. A memory that cannot be reached is waited for, as long as `signal` does not abort. */
export interface IncidentMemory {
  read(key: IncidentKey, signal: AbortSignal): Promise<FoundRecord>;
  /** Resolves to the new revision, or to `undefined` when what is remembered is not of `revision` any more. */
  write(key: IncidentKey, record: IncidentRecord, revision: number, signal: AbortSignal): Promise<number | undefined>;
  /** The object's events of before this one that are still known, oldest first; for when nothing is remembered. Without a log there is none. */
  readonly history?: (event: Envelope, signal: AbortSignal) => AsyncIterable<Envelope>;
}
