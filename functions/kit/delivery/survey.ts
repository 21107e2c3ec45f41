/**
 * Every subscription that NATS knows of, and how it is doing, read from NATS alone: its record, its consumers, and its dead letters. For
 * whoever asks whether everything is all right.
 */
import { DEAD_LETTERS_ROOT, DEAD_LETTERS_STREAM, encodeToken, type JetStream, unlessMissing } from "#contract";
import { Selection } from "../filter/filter.ts";
import { readRecord, subscriptionNames } from "../ownership/stored-subscription.ts";
import { addBacklogs, type Backlog, backlogOf } from "./backlog.ts";
import { findConsumers } from "./consumer.ts";

/** One subscription. */
export interface SurveyedSubscription {
  readonly name: string;
  readonly function: string;
  readonly partitions: number;
  /** Partitions for which a process waits for events, or is at work. */
  readonly attended: number;
  /** An edit is not in force yet. */
  readonly isEdited: boolean;
  readonly backlog: Backlog;
  readonly deadLetters: number;
  /** What it asks for; `undefined` where its record is of before there were any, or of a newer version. */
  readonly selection: Selection | undefined;
}

interface Subjects {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
}

/** More are asked about one after the other. */
const IN_FLIGHT_MAX = 8;

/** Reads it, in the order of the names; none where no functions have run yet. Throws JetStreamApiError and RequestLostError. */
export async function surveySubscriptions(jetStream: JetStream): Promise<readonly SurveyedSubscription[]> {
  const names = await subscriptionNames(jetStream);
  const found: SurveyedSubscription[] = [];
  for (let first = 0; first < names.length; first += IN_FLIGHT_MAX) {
    const some = names.slice(first, first + IN_FLIGHT_MAX).map((name) => surveyOne(jetStream, name));
    found.push(...(await Promise.all(some)).filter((each) => each !== undefined));
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function surveyOne(jetStream: JetStream, name: string): Promise<SurveyedSubscription | undefined> {
  const record = await readRecord(jetStream, name);
  if (record === undefined) return undefined;
  const consumers = (await unlessMissing("stream", findConsumers(jetStream, name))) ?? [];
  const letters = await subjectsOf(jetStream, DEAD_LETTERS_STREAM, `${DEAD_LETTERS_ROOT}.${encodeToken(name)}.>`);
  return {
    name,
    function: record.current.function,
    selection: Selection.safeParse(record.current.selection).data,
    partitions: record.current.partitions,
    attended: consumers.filter(({ progress }) => progress.waitingPulls + progress.unacknowledged > 0).length,
    isEdited: record.next !== undefined,
    backlog: addBacklogs(await Promise.all(consumers.map((each) => backlogOf(jetStream, each)))),
    deadLetters: Object.values(letters).reduce((sum, count) => sum + count, 0),
  };
}

async function subjectsOf(
  jetStream: JetStream,
  stream: string,
  filter: string,
): Promise<Readonly<Record<string, number>>> {
  const asked = jetStream.api<Subjects>(`STREAM.INFO.${stream}`, { subjects_filter: filter });
  return (await unlessMissing("stream", asked))?.state.subjects ?? {};
}
