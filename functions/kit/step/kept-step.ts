/**
 * What is remembered of the steps of events: for people who ask what functions did. It reads, and leaves nothing behind.
 */
import { decodeToken, encodeToken, type JetStream, type Json, read, STEPS_BUCKET, unlessMissing } from "#contract";
import { parseRecord, STEPS_STREAM, type StepRecord } from "./step-record.ts";

/** A step of an event as the memory has it: running (or its process has ended), done, or without a usable result. */
export interface KeptStep {
  readonly step: string;
  readonly state: StepRecord["state"];
}

/** The same with whose it is. */
export interface KnownStep extends KeptStep {
  readonly subscription: string;
  readonly eventId: string;
  /** The run of `cr-reactor replay --again` that ran it once more. */
  readonly again?: string;
  readonly result?: Json | undefined;
  /** Why the result of an unusable one was not kept. */
  readonly problem?: string;
  /** When that was stored (epoch milliseconds). */
  readonly storedAtMs: number;
}

/** Events that are asked for with one reading: nets of a consumer cost it by their square. */
const EVENTS_MAX = 100;
const ROOT = `$KV.${STEPS_BUCKET}`;

/** What is remembered of an event's steps, by their names. Throws JetStreamApiError and RequestLostError. */
export async function keptSteps(
  jetStream: JetStream,
  subscription: string,
  eventId: string,
): Promise<readonly KeptStep[]> {
  const known = await knownSteps(jetStream, [eventId], AbortSignal.timeout(READ_MS_MAX), subscription);
  const name = ({ step, again }: KnownStep) => (again === undefined ? step : `${step}@${again}`);
  return known.map((each) => ({ step: name(each), state: each.state })).toSorted((a, b) => (a.step < b.step ? -1 : 1));
}

/** To read a handful of keys takes milliseconds. */
const READ_MS_MAX = 60_000;

/** What is remembered of the steps of these events, of one subscription or of all, in the order in which they were stored. */
export async function knownSteps(
  jetStream: JetStream,
  eventIds: readonly string[],
  signal: AbortSignal,
  subscription?: string,
): Promise<readonly KnownStep[]> {
  const found: KnownStep[] = [];
  const whose = subscription === undefined ? "*" : encodeToken(subscription);
  for (let first = 0; first < eventIds.length; first += EVENTS_MAX) {
    const some = new Set(eventIds.slice(first, first + EVENTS_MAX));
    const filter_subjects = [...some].map((eventId) => `${ROOT}.${whose}.${encodeToken(eventId)}.*`);
    const steps = Array.fromAsync(
      read(jetStream, { filter_subjects, deliver_policy: "all" }, signal, false, STEPS_STREAM),
    );
    for (const { message, storedAtMs } of (await unlessMissing("stream", steps)) ?? []) {
      const step = knownStep(message.subject, message.data, storedAtMs);
      if (step !== undefined) found.push(step);
    }
  }
  return found;
}

/** `undefined` for a step that was released: it failed, and runs with the next try. */
function knownStep(subject: string, data: Uint8Array, storedAtMs: number): KnownStep | undefined {
  const record = parseRecord(subject, Buffer.from(data).toString("utf8"));
  if (record === undefined) return undefined;
  const [subscription = "", eventId = "", name = ""] = subject
    .slice(ROOT.length + 1)
    .split(".")
    .map(decodeToken);
  const [step = "", again] = name.split("@");
  return {
    ...{ subscription, eventId, step, state: record.state, storedAtMs },
    ...(again !== undefined && { again }),
    ...(record.state === "done" && { result: record.result }),
    ...(record.state === "unusable" && { problem: record.problem }),
  };
}
