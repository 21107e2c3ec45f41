/**
 * `cr-reactor explain`: what a subscription means. Its filter as it is understood, which part of it NATS decides, whether the kind has
 * what it names, and events of the log that match or nearly match, and why not. It changes nothing.
 */
import { connectJetStream, type JetStream, NatsSettings, NatsUnreachableError, resolveNatsSettings } from "#contract";
import {
  checkSelection,
  parseSubscriptions,
  patternOf,
  planSelection,
  readKindSchemas,
  type Selection,
  type Subscription,
  selectionIn,
  shownTimes,
} from "#kit";
import { findSubscriptions } from "../functions/main.ts";
import { type ExplainedEvent, explainSequence, scanEvents } from "./explain-events.ts";
import { explainSilences } from "./explain-silences.ts";
import { type Explained, renderExplained } from "./explain-text.ts";
import { readTextFile } from "./file.ts";
import { print, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface ExplainOptions {
  readonly subscriptions?: string;
  readonly server?: readonly string[];
  /** Events that are shown. */
  readonly count: number;
  /** A sequence of the log, or the id of an event. */
  readonly event?: string;
  readonly json?: true;
  readonly offline?: true;
}

/** There is no such event in the log. */
class NoEventError extends Error {
  readonly code = "NO_EVENT";
}

const EXIT_MISTAKEN = 1;

/**
 * Prints what it found, of each subscription that the name means. Exit code 1 when a filter can never match, or names what the kind does not
 * have. Throws ConfigError, SubscriptionError, or what keeps the event from being found.
 */
export async function explainCommand(name: string, options: ExplainOptions): Promise<void> {
  const signal = stopSignal();
  const fileName = options.subscriptions;
  const file = fileName === undefined ? undefined : { text: await readTextFile(fileName), fileName };
  const subscriptions = await findSubscriptions({ ...(file && { subscriptions: file }), select: [name] });
  const parsed = file && parseSubscriptions(file.text, file.fileName);
  const own = options.server === undefined ? parsed?.nats : undefined;
  const settings = resolveNatsSettings(own ?? NatsSettings.parse(options.server ? { servers: options.server } : {}));
  const nats = options.offline ? "--offline: neither schema nor log were asked" : await open(settings, options);
  try {
    const all: Explained[] = [];
    for (const subscription of subscriptions) {
      const explained = await explain(subscription, nats, options, signal);
      const silences =
        typeof nats === "string" ? [] : await explainSilences(nats, subscription, parsed?.silences ?? [], signal);
      all.push({ ...explained, silences });
    }
    print(options.json ? JSON.stringify(all.map(jsonOf), null, 2) : all.map(renderExplained).join("\n\n\n"));
    const isMistaken = ({ plan, schema }: Explained) => plan.subjects.length === 0 || schema.mistakes.length > 0;
    if (all.some(isMistaken)) process.exitCode = EXIT_MISTAKEN;
  } finally {
    if (typeof nats !== "string") await nats.close();
  }
}

/** A NATS that cannot be reached is said, and is no reason to say nothing; without it an event cannot be found. */
async function open(settings: NatsSettings, { event }: ExplainOptions): Promise<JetStream | string> {
  try {
    return await connectJetStream(settings, "cr-reactor explain");
  } catch (error) {
    if (!(error instanceof NatsUnreachableError) || event !== undefined) throw error;
    return `${error.message}; --offline leaves it out`;
  }
}

async function explain(
  subscription: Subscription,
  nats: JetStream | string,
  options: ExplainOptions,
  signal: AbortSignal,
): Promise<Omit<Explained, "silences">> {
  const { name, function: functionName } = subscription;
  const selection = selectionOf(subscription);
  const known = { name, functionName, selection, plan: planSelection(selection), called: shownTimes(selection) };
  if (typeof nats === "string") return { ...known, nats, schema: { clusters: [], mistakes: [], problem: "no schema" } };
  const schema = await checkSchema(nats, selection);
  const { event: wanted, count } = options;
  if (wanted !== undefined) return { ...known, schema, event: await findEvent(nats, selection, wanted, signal) };
  const scan = await scanEvents(nats, selection, { count, signal });
  return {
    ...known,
    schema,
    ...(scan === undefined ? { nats: "there is no log yet: no bridge has started" } : { scan }),
  };
}

/** What is left out, and what is as it is by default, is left out. */
function selectionOf(subscription: Subscription): Selection {
  const { includeExisting, ...selection } = selectionIn(subscription);
  return includeExisting ? { ...selection, includeExisting } : selection;
}

async function checkSchema(jetStream: JetStream, selection: Selection): Promise<Explained["schema"]> {
  try {
    const schemas = [...(await readKindSchemas(jetStream, [patternOf(selection)])).values()];
    const clusters = schemas.map(({ cluster }) => cluster).toSorted();
    const mistakes = checkSelection(selection, schemas).map(({ message }) => message);
    if (clusters.length > 0) return { clusters, mistakes };
    const problem = `no bridge has published a schema of ${selection.kind} ${selection.apiVersion}`;
    return { clusters, mistakes, problem };
  } catch (error) {
    return { clusters: [], mistakes: [], problem: (error as Error).message };
  }
}

async function findEvent(
  jetStream: JetStream,
  selection: Selection,
  wanted: string,
  signal: AbortSignal,
): Promise<ExplainedEvent> {
  const isSequence = /^\d+$/.test(wanted);
  const found = isSequence
    ? await explainSequence(jetStream, selection, Number(wanted), signal)
    : (await scanEvents(jetStream, selection, { count: 1, id: wanted, signal }))?.events[0];
  if (found !== undefined) return found;
  throw new NoEventError(
    isSequence
      ? `the log has no event with the sequence ${wanted}`
      : `none of the newest events of ${selection.kind} has the id ${wanted}: name it by its sequence in the log`,
  );
}

/** Of events what names them: their objects are for `tail`. */
function jsonOf({ functionName, scan, event, ...rest }: Explained) {
  const shortened = ({ sequence, envelope, isMatch, explanation }: ExplainedEvent) => {
    const { id, type, subject, cluster, time } = envelope;
    return { sequence, id, type, cluster, subject, time, matched: isMatch, explanation };
  };
  return {
    ...rest,
    function: functionName,
    ...(scan && {
      scanned: scan.scanned,
      whole: scan.isWhole,
      matched: scan.matched,
      events: scan.events.map(shortened),
    }),
    ...(event && { event: shortened(event) }),
  };
}
