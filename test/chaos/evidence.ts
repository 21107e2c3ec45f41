/**
 * What a verdict is based on, as plain data: what was written, what the log said, what is there at the end, and when the API
 * server's history was cut; and what a verdict consists of.
 */
import type { Envelope } from "../../bridge/event/envelope.ts";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";
import type { LedgerLine } from "./ledger.ts";

/** An event as it was read from the log. */
export interface SeenEvent {
  /** In the stream. */
  readonly sequence: number;
  readonly subject: string;
  /** The header Nats-Msg-Id. */
  readonly messageId: string;
  readonly envelope: Envelope;
}

/** A time in which not everything could be seen, in epoch milliseconds. */
export interface Blindness {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The log as it stood when it was lost or put back. */
export interface EarlierLog {
  readonly events: readonly SeenEvent[];
  readonly atMs: number;
}

/** What was done to the histories themselves. */
export interface Losses {
  /**
   * etcd was put back: `fromMs` is when the copy was begun, `toMs` when it was in place. What was acknowledged in between is undone.
   * The first one ends epoch 1, and so on.
   */
  readonly restores: readonly Blindness[];
  /** When the log was emptied. */
  readonly wipesMs: readonly number[];
  readonly earlier: readonly EarlierLog[];
}

/** Everything the checker judges. */
export interface Evidence extends Losses {
  /** In the order of the file: writes of one object are in order. */
  readonly ledger: readonly LedgerLine[];
  /** The log as it stands, in the order of the stream. */
  readonly events: readonly SeenEvent[];
  /** What the API server has at the end. */
  readonly final: readonly KubeObject[];
  /** From when the bridge was started for the first time until it had compared its first list. */
  readonly start: Blindness;
  /** Around each loss of the API server's history: from when the log was last known to be complete until it was again. */
  readonly blind: readonly Blindness[];
}

/** What can be wrong. */
export type ViolationKind =
  | "lost"
  | "twice"
  | "out of order"
  | "false event"
  | "false gap"
  | "wrong patch"
  | "wrong object"
  | "wrong final state"
  | "wrong subject"
  | "unread";

/** One thing that is wrong, with where to look. */
export interface Violation {
  readonly kind: ViolationKind;
  /** `<namespace>/<name>` */
  readonly object: string;
  readonly resourceVersion: string;
  /** In the stream; `undefined` for what is missing there. */
  readonly sequence: number | undefined;
  readonly problem: string;
}

/** The verdict's numbers. */
export interface Counts {
  /** Acknowledged writes that changed something. */
  readonly writes: number;
  /** Acknowledged writes that changed nothing but bookkeeping, and need no event. */
  readonly quiet: number;
  readonly events: number;
  /** Events marked as a gap. */
  readonly gaps: number;
  /** Writes without an event of their own, covered by one that is marked as a gap or by the first sight of the object. */
  readonly covered: number;
  /** Writes of objects that lived and died while nobody could see. */
  readonly unseen: number;
  /** Writes without an event of their own that a restored etcd has undone. */
  readonly undone: number;
  /** Events that were read and that a restored or emptied log no longer had. */
  readonly forgotten: number;
}

/** Everything that is wrong, and the numbers. */
export interface Verdict {
  readonly violations: readonly Violation[];
  readonly counts: Counts;
}

/** A violation in one line. */
export function violationLine({ kind, object, resourceVersion, sequence, problem }: Violation): string {
  const where = sequence === undefined ? "not in the stream" : `stream sequence ${sequence}`;
  return `${kind}: ${object} resourceVersion ${resourceVersion || "unknown"} (${where}): ${problem}`;
}
