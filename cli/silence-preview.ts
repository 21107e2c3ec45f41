/**
 * What a silence would have held back of the last day: the events of the log that the subscriptions on this NATS ask for, and those of them
 * that it is about. So somebody who silences too much sees it before it matters.
 */
import {
  encodeToken,
  findEvent,
  groupOf,
  type JetStream,
  type Reading,
  read,
  SUBJECT_ROOT,
  unlessMissing,
} from "#contract";
import { compileFilter, compileSilence, isMatch, type Selection, type Silence, surveySubscriptions } from "#kit";

/** Of one subscription that the silence concerns. */
export interface SilencedCount {
  readonly subscription: string;
  /** Events of the last day that it asks for, and those that would have been held back. */
  readonly events: number;
  readonly heldBack: number;
}

/** What would have been. */
export interface SilencePreview {
  readonly subscriptions: readonly SilencedCount[];
  /** Whether all of the last day was looked at. */
  readonly isWhole: boolean;
}

const DAY_MS = 86_400_000;
/** Ten thousand events of usual size are read and matched in about three seconds. */
const SCANNED_MAX = 10_000;

/** Looks at the log. Throws JetStreamApiError and RequestLostError. */
export async function previewSilence(
  jetStream: JetStream,
  silence: Silence,
  signal: AbortSignal,
): Promise<SilencePreview> {
  const compiled = compileSilence("preview", silence);
  const atMs = Date.parse(silence.begins);
  const concerned = (await surveySubscriptions(jetStream)).flatMap(({ name, selection }) =>
    selection === undefined || !compiled.concerns(name) ? [] : [{ name, selection, matcher: compileFilter(selection) }],
  );
  const counts = new Map(concerned.map(({ name }) => [name, { events: 0, heldBack: 0 }]));
  let scanned = 0;
  const scan = async () => {
    if (concerned.length === 0) return;
    for await (const { message } of read(
      jetStream,
      readingOf(concerned.map(({ selection }) => selection)),
      signal,
      false,
    )) {
      if (++scanned > SCANNED_MAX) return;
      const event = await findEvent(jetStream, message.data, signal);
      if (event === undefined) continue;
      // What resolves is told in a silence too.
      const asked = concerned.filter(({ matcher }) => isMatch(matcher.match, event));
      if (asked.length === 0) continue;
      const namespace = async () => undefined;
      const isHeld = (await compiled.holds({ event, object: event.data.object, atMs, namespace })) !== undefined;
      for (const { name } of asked) {
        const { events = 0, heldBack = 0 } = counts.get(name) ?? {};
        counts.set(name, { events: events + 1, heldBack: heldBack + Number(isHeld) });
      }
    }
  };
  await unlessMissing("stream", scan());
  signal.throwIfAborted();
  const subscriptions = [...counts].map(([subscription, count]) => ({ subscription, ...count }));
  return { subscriptions, isWhole: scanned <= SCANNED_MAX };
}

/** All events of the kinds, in whatever version. */
function readingOf(selections: readonly Selection[]): Reading {
  const subjects = selections.map(({ apiVersion, kind }) =>
    [SUBJECT_ROOT, "*", encodeToken(groupOf(apiVersion)), encodeToken(kind), ">"].join("."),
  );
  const opt_start_time = new Date(Date.now() - DAY_MS).toISOString();
  return { filter_subjects: [...new Set(subjects)], deliver_policy: "by_start_time", opt_start_time };
}
