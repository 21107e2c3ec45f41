/**
 * Which events a command is about: a kind, a namespace, a name, and a filter in the language of subscriptions, or one of these. What NATS
 * can tell by the subject it filters; the rest is decided here, by the code that decides it in a process of functions.
 */
import { didYouMean, type Envelope, encodeToken, type JetStream, parseYamlConfig, SUBJECT_ROOT } from "#contract";
import {
  compileFilter,
  Filter,
  type Matcher,
  parseSubscriptions,
  planSelection,
  readSubscription,
  type Selection,
  selectionIn,
  subscriptionNames,
} from "#kit";
import { readTextFile } from "./file.ts";

/** As it was said on the command line. */
export interface EventChoice {
  /** A kind or plural, with its group if it is ambiguous. */
  readonly kind?: string | undefined;
  readonly namespace?: string;
  readonly name?: string;
  /** YAML, such as `{ phase: { to: Failed } }`. */
  readonly filter?: string;
  /** The name of one: of the file, or as its processes have recorded it in NATS. */
  readonly subscription?: string;
  readonly subscriptions?: string;
}

/** The events that are meant. */
export interface ChosenEvents {
  /** All of them have one of these. */
  readonly subjects: readonly string[];
  wants(event: Envelope): boolean;
}

/** No subscription has this name: the message has those that there are. */
class UnknownSubscriptionError extends Error {
  readonly code = "SUBSCRIPTION_INVALID";
}

/** Throws ConfigError for a filter that is none, UnknownSubscriptionError, and what NATS answers. */
export async function chooseEvents(jetStream: JetStream, choice: EventChoice): Promise<ChosenEvents> {
  const { kind, namespace, name, filter, subscription } = choice;
  const selection = subscription === undefined ? undefined : await findSelection(jetStream, subscription, choice);
  const when = filter === undefined ? undefined : parseYamlConfig(Filter, filter, "--filter");
  const matchers = [
    ...(when === undefined ? [] : [matcherOfAnyKind(when)]),
    ...(selection === undefined ? [] : [isMatchOf(compileFilter(selection))]),
  ];
  return {
    subjects: selection === undefined ? [subjectOf(choice)] : planSelection(selection).subjects,
    wants: (event) =>
      isKind(event, kind) &&
      (namespace === undefined || event.namespace === namespace) &&
      (name === undefined || event.name === name) &&
      matchers.every((isMatch) => isMatch(event)),
  };
}

/** What a subscription asks for, by the file, else by its record. Throws UnknownSubscriptionError. */
export async function findSelection(
  jetStream: JetStream,
  name: string,
  { subscriptions: fileName }: Pick<EventChoice, "subscriptions">,
): Promise<Selection> {
  if (fileName !== undefined) {
    const { subscriptions } = parseSubscriptions(await readTextFile(fileName), fileName);
    const found = subscriptions.find((each) => each.name === name);
    if (found !== undefined) return selectionIn(found);
    const names = subscriptions.map((each) => each.name);
    throw new UnknownSubscriptionError(
      `${fileName} has no subscription "${name}"${didYouMean(name, names)}: it has ${names.join(", ")}`,
    );
  }
  const found = await readSubscription(jetStream, name);
  if (found?.selection !== undefined) return found.selection;
  if (found !== undefined)
    throw new UnknownSubscriptionError(
      `what the subscription "${name}" asks for is not recorded: give its file, --subscriptions <file>`,
    );
  const names = await subscriptionNames(jetStream);
  const known = names.length === 0 ? "no functions have run here yet" : `there are ${names.join(", ")}`;
  throw new UnknownSubscriptionError(
    `no process has run a subscription "${name}" on this NATS${didYouMean(name, names)}: ${known}; of one that never ran, give the file: --subscriptions <file>`,
  );
}

/** What the server can filter; a plural or a lower-case kind is left to `isKind`. */
function subjectOf({ kind, namespace, name }: EventChoice): string {
  const [kindName = "", group] = splitKind(kind ?? "");
  const tokens = [
    "*",
    group === undefined ? "*" : encodeToken(group),
    /^[A-Z]/.test(kindName) ? encodeToken(kindName) : "*",
    namespace === undefined ? "*" : encodeToken(namespace),
    name === undefined ? "*" : encodeToken(name),
  ];
  return `${SUBJECT_ROOT}.${tokens.join(".")}.>`;
}

function isKind({ kind, apiversion, subject }: Envelope, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  const [name = "", group] = splitKind(wanted.toLowerCase());
  const plural = subject.split("/").at(-2);
  const isGroup = group === undefined || group === groupIn(apiversion);
  return isGroup && (name === kind.toLowerCase() || name === plural);
}

function groupIn(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** `Database.demo.example.com` is a kind and its group. */
function splitKind(text: string): [string, string?] {
  const dot = text.indexOf(".");
  return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
}

/** A filter alone is one of each event's own kind; what was there before the bridge counts as born, since nothing else is left out either. */
function matcherOfAnyKind(when: Filter): (event: Envelope) => boolean {
  const matchers = new Map<string, (event: Envelope) => boolean>();
  return (event) => {
    const { apiversion: apiVersion, kind } = event;
    const key = `${apiVersion}/${kind}`;
    const isMatch = matchers.get(key) ?? isMatchOf(compileFilter({ apiVersion, kind, when, includeExisting: true }));
    matchers.set(key, isMatch);
    return isMatch(event);
  };
}

/** An event that contradicts itself matches nothing. */
function isMatchOf(matcher: Matcher): (event: Envelope) => boolean {
  return (event) => {
    try {
      return ["matched", "resolving"].includes(matcher.match(event).type);
    } catch {
      return false;
    }
  };
}
