import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  ConsumerGoneError,
  DEAD_LETTERS_ROOT,
  EVENTS_STREAM,
  FieldPath,
  JetStreamApiError,
  MalformedEventError,
  NatsSettings,
  RequestLostError,
  SUBJECT_ROOT,
  StreamSettings,
  beforeOf,
  createBackoff,
  deadLettersStream,
  encodePhase,
  encodeToken,
  ensureStream,
  external_exports,
  groupOf,
  objectPart,
  opOf,
  parseEnvelope,
  parseFieldPath,
  parseYamlConfig,
  pull,
  toPointer,
  valueAt
} from "./chunk-MT2EEFXM.js";

// functions/kit/define.ts
function defineFunction(definition) {
  return definition;
}

// functions/kit/filter.ts
var text = external_exports.string().min(1, "expected some text"), oneOrMore = external_exports.union([text, external_exports.array(text).min(1, "name at least one value")]), json = external_exports.json(), PhaseFilter = external_exports.strictObject({ from: oneOrMore.optional(), to: oneOrMore.optional() }), FieldFilter = external_exports.strictObject({ path: FieldPath, from: json.optional(), to: json.optional() }), fact = external_exports.literal(!0, { error: "expected true: for the opposite write not: { \u2026 }" }), plainFilter = {
  phase: PhaseFilter.optional(),
  field: FieldFilter.optional(),
  created: fact.optional(),
  deleted: fact.optional(),
  /** Labels of the object after the change: key to value, or to a list of values of which any will do. */
  labels: external_exports.record(text, external_exports.union([external_exports.string(), external_exports.array(external_exports.string()).min(1)])).optional(),
  /** Globs of namespaces of which any will do; `*` is any run of characters. */
  namespaces: external_exports.array(text).min(1, "name at least one namespace").optional()
}, Filter = external_exports.strictObject({
  ...plainFilter,
  get all() {
    return external_exports.array(Filter).min(1, "name at least one filter").optional();
  },
  get any() {
    return external_exports.array(Filter).min(1, "name at least one filter").optional();
  },
  get not() {
    return Filter.optional();
  }
}).refine((filter) => Object.values(filter).some((value) => value !== void 0), {
  error: "is empty: name a condition (phase, field, created, deleted, labels, namespaces, all, any, not), or leave it out",
  when: ({ issues }) => issues.length === 0
}), Selection = external_exports.strictObject({
  /** Group and version as in manifests: `demo.example.com/v1`. */
  apiVersion: text.regex(/^([a-z0-9.-]+\/)?[a-z0-9]+$/, "expected group/version, such as demo.example.com/v1"),
  kind: text.regex(/^[A-Za-z][A-Za-z0-9]*$/, "expected a kind, such as Database"),
  /** The name a bridge gives its cluster; left out: any. */
  cluster: external_exports.string().regex(/^[a-z0-9-]+$/, "expected the name of one cluster: a-z, 0-9 and -").optional(),
  /** Left out: everything that happens to such an object. */
  when: Filter.optional(),
  /** Whether objects that were already there when the bridge first saw them count as born now; default false. */
  includeExisting: external_exports.boolean().default(!1)
});
function phase(transition = {}) {
  return { phase: transition };
}

// functions/kit/outcome.ts
var PermanentError = class extends Error {
  code = "PERMANENT";
  name = "PermanentError";
}, RetryAfterError = class extends Error {
  code = "RETRY_AFTER";
  name = "RetryAfterError";
  afterMs;
  constructor(message, afterMs, options) {
    super(message, options), this.afterMs = afterMs > 0 ? afterMs : 0;
  }
};
function outcomeOf(thrown) {
  let error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return error instanceof PermanentError ? { type: "dead-letter", error } : error instanceof RetryAfterError ? { type: "retry", error, afterMs: error.afterMs } : { type: "retry", error };
}

// functions/kit/plan.ts
var SUBJECTS_MAX = 64, COMPARED_MAX = 1024, DIMENSIONS = ["namespace", "op", "spec", "status", "phase"], EVERYTHING = [{}];
function planSubjects({ apiVersion, kind, cluster, when, includeExisting = !1 }) {
  let births = includeExisting ? ["created", "existing"] : ["created"], considered = [...births, "updated", "deleted"], wanted = when === void 0 ? EVERYTHING : patternsOf(when, births), patterns = withoutNeedlessOps(
    both(
      considered.map((op) => ({ op })),
      wanted
    ),
    considered
  ), object = [
    cluster === void 0 ? "*" : encodeToken(cluster),
    encodeToken(groupOf(apiVersion)),
    encodeToken(kind)
  ];
  return { subjects: patterns.map(
    ({ namespace = "*", op = "*", spec = "*", status = "*", phase: phase2 = "*" }) => [SUBJECT_ROOT, ...object, namespace, "*", op, spec, status, phase2, "*"].join(".")
  ).sort() };
}
function patternsOf(filter, births) {
  let { phase: phase2, field: field2, created: created2, deleted: deleted2, namespaces: namespaces2, all: all2 = [], any: any2 } = filter, conjuncts = all2.map((each) => patternsOf(each, births));
  return created2 !== void 0 && conjuncts.push(births.map((op) => ({ op }))), deleted2 !== void 0 && conjuncts.push([{ op: "deleted" }]), phase2 !== void 0 && conjuncts.push(phasePatterns(phase2, births)), field2 !== void 0 && conjuncts.push(fieldPatterns(field2, births)), namespaces2 !== void 0 && conjuncts.push(namespaces2.map(namespacePattern)), any2 !== void 0 && conjuncts.push(any2.flatMap((each) => patternsOf(each, births))), conjuncts.reduce(both, EVERYTHING);
}
function phasePatterns({ from, to }, births) {
  let tokens = to === void 0 ? [{}] : [to].flat().map((phase2) => ({ phase: encodePhase(phase2) })), updates = tokens.map((token) => ({ ...token, op: "updated" }));
  if (from !== void 0) return updates;
  let born = (op) => op === "existing" ? [{ op }] : tokens.map((token) => ({ ...token, op }));
  return [...updates, ...births.flatMap(born)];
}
function fieldPatterns({ path, from, to }, births) {
  let part = partPattern(parseFieldPath(path)[0] ?? ""), updates = [{ ...part, op: "updated" }];
  return to === void 0 || from !== void 0 ? updates : [...updates, ...births.map((op) => op === "existing" ? { op } : { ...part, op })];
}
function partPattern(key) {
  return key === "status" ? { status: "status" } : key === "metadata" || key === "apiVersion" || key === "kind" ? {} : { spec: "spec" };
}
function namespacePattern(glob) {
  return glob.includes("*") ? {} : { namespace: encodeToken(glob) };
}
function withoutNeedlessOps(patterns, considered) {
  let merged = [...Map.groupBy(patterns, ({ op: _, ...rest }) => keyOf(rest)).values()].flatMap((group) => {
    let { op: _, ...rest } = group[0] ?? {};
    return (rest.spec !== void 0 || rest.status !== void 0 || rest.phase !== void 0 ? ["created", "updated"] : considered).every((op) => group.some((pattern) => pattern.op === op)) ? [...group, rest] : group;
  });
  return reduced(merged);
}
function both(left, right) {
  let common = [];
  for (let a of reduced(left))
    for (let b of reduced(right))
      DIMENSIONS.some((d) => a[d] !== void 0 && b[d] !== void 0 && a[d] !== b[d]) || common.push({ ...a, ...b });
  return reduced(common);
}
function reduced(patterns) {
  let kept = distinct(patterns);
  for (; kept.length > COMPARED_MAX; ) kept = widened(kept);
  for (kept = withoutCovered(kept); kept.length > SUBJECTS_MAX; ) kept = withoutCovered(widened(kept));
  return kept;
}
function keyOf(pattern) {
  return DIMENSIONS.map((d) => pattern[d] ?? "*").join(".");
}
function distinct(patterns) {
  return [...new Map(patterns.map((pattern) => [keyOf(pattern), pattern])).values()];
}
function withoutCovered(patterns) {
  return patterns.filter((pattern) => !patterns.some((other) => other !== pattern && covers(other, pattern)));
}
function widened(patterns) {
  let variety = (d) => new Set(patterns.map((pattern) => pattern[d])).size, [widest = "phase"] = [...DIMENSIONS].sort((a, b) => variety(b) - variety(a));
  return distinct(patterns.map(({ [widest]: _, ...rest }) => rest));
}
function covers(wide, narrow) {
  return DIMENSIONS.every((d) => wide[d] === void 0 || wide[d] === narrow[d]);
}

// functions/kit/subscription.ts
var Subscription = external_exports.strictObject({
  /** Unique on this NATS: the consumer is called `cr-<name>`, and who runs the same name shares the events. */
  name: external_exports.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "expected lower-case words with - between them, such as database-failed").max(64, "expected at most 64 characters"),
  /** The name of a built-in function, or the path of a module (`./my-function.ts`, from the file that says so). */
  function: external_exports.string().min(1, "expected the name of a function, or a path such as ./my-function.ts"),
  ...Selection.shape,
  /** Where a consumer that does not exist yet begins: at what comes, or at all that is retained; default `now`. */
  start: external_exports.enum(["now", "all"]).default("now"),
  /** The function's own settings, checked by its schema. */
  config: external_exports.record(external_exports.string(), external_exports.json()).default({}),
  /** Objects whose events are handled at the same time, 1 to 256; default 16. */
  concurrency: external_exports.int().min(1).max(256).default(16),
  /** Tries of one event, after which it is a dead letter; default 8, which takes about four minutes. */
  attempts: external_exports.int().min(1).max(1e3).default(8),
  /** Time for one try, up to an hour; default: the function's, else 30. */
  timeoutSeconds: external_exports.number().positive().max(3600).optional()
}), SubscriptionsFile = external_exports.strictObject({
  nats: NatsSettings,
  subscriptions: external_exports.array(Subscription).min(1, "name at least one subscription").superRefine(refuseSameNames)
}), SubscriptionError = class extends Error {
  code = "SUBSCRIPTION_INVALID";
  name = "SubscriptionError";
}, TIMEOUT_MS_DEFAULT = 3e4;
function parseSubscriptions(text2, fileName) {
  return parseYamlConfig(SubscriptionsFile, text2, fileName);
}
function ownSubscription(definition) {
  if (definition.subscription === void 0)
    throw new SubscriptionError(
      `function "${definition.name}" does not say what it reacts to: bind it in a subscriptions file (apiVersion, kind, when)`
    );
  return Subscription.parse({ name: definition.name, function: definition.name, ...definition.subscription });
}
function bind(subscription, definition) {
  let { name, timeoutSeconds } = subscription, parsed = definition.config.safeParse(subscription.config);
  if (!parsed.success) {
    let problems = parsed.error.issues.map((issue) => `${["config", ...issue.path].join(".")}: ${issue.message}`);
    throw new SubscriptionError(
      `subscription "${name}": the settings do not fit the function ${definition.name}: ${problems.join("; ")}`
    );
  }
  let config = parsed.data, { subjects } = planSubjects(subscription);
  if (subjects.length === 0)
    throw new SubscriptionError(
      `subscription "${name}": when: no event can ever match, because its parts exclude each other`
    );
  return {
    subscription,
    functionName: definition.name,
    subjects,
    timeoutMs: timeoutSeconds === void 0 ? definition.timeoutMs ?? TIMEOUT_MS_DEFAULT : timeoutSeconds * 1e3,
    async run(call) {
      return await definition.run(contextOf(name, config, call)) ?? void 0;
    }
  };
}
function contextOf(subscription, config, call) {
  let { event } = call, before;
  return {
    ...call,
    object: event.data.object,
    get before() {
      return before ??= beforeOf(opOf(event), event.data), before;
    },
    change: event.data,
    config,
    subscription,
    idempotencyKey: `${subscription}/${event.id}`
  };
}
function refuseSameNames(subscriptions, context) {
  let seen = /* @__PURE__ */ new Set();
  for (let [index, { name }] of subscriptions.entries())
    seen.has(name) && context.addIssue({
      code: "custom",
      path: [index, "name"],
      message: `"${name}" is the name of another one too: choose another`
    }), seen.add(name);
}

// functions/kit/dead-letter.ts
var DeadLetter = external_exports.object({
  subscription: external_exports.string().min(1),
  function: external_exports.string().min(1),
  /** One line, cut at 1,000 characters. */
  reason: external_exports.string().min(1),
  /** How often it was tried. */
  attempts: external_exports.coerce.number().int().nonnegative(),
  /** Where the event is in CR_EVENTS, as long as the log keeps it. */
  streamSequence: external_exports.coerce.number().int().positive(),
  /** The event's subject. */
  subject: external_exports.string().min(1),
  /** The payload's media type, when the event had one. */
  contentType: external_exports.string().optional(),
  /** True when the event did not fit beside the headers; it is in CR_EVENTS then. */
  payloadOmitted: external_exports.boolean()
}), REASON_LENGTH_MAX = 1e3, HEADERS_BYTES_MAX = 8192, PUBLISH_BACKOFF = { firstMs: 500, maxMs: 3e4, resetAfterMs: Number.POSITIVE_INFINITY }, NO_RESPONDERS = 503;
function ensureDeadLetters(jetStream, replicas) {
  let parsed = StreamSettings.safeParse({ replicas });
  return ensureStream(jetStream, deadLettersStream(parsed.success ? parsed.data : StreamSettings.parse({})));
}
async function publishDeadLetter(jetStream, letter, { log, signal }) {
  let backoff = createBackoff(PUBLISH_BACKOFF);
  for (; ; ) {
    try {
      return await jetStream.publish(letter.subject, letter.payload, letter.headers), !0;
    } catch (error) {
      log.error(
        { subject: letter.subject, err: error },
        "the dead letter is not stored yet: its event is kept, trying again"
      ), error instanceof JetStreamApiError && error.status === NO_RESPONDERS && await ensureDeadLetters(jetStream, 1).catch(() => {
      });
    }
    try {
      await backoff.wait(signal);
    } catch {
      return !1;
    }
  }
}
function sealDeadLetter(letter, message, payloadBytesMax) {
  let payloadOmitted = message.data.length > payloadBytesMax - HEADERS_BYTES_MAX, contentType = message.header("content-type");
  return {
    subject: `${DEAD_LETTERS_ROOT}.${encodeToken(letter.subscription)}.${message.subject}`,
    headers: {
      ...contentType !== void 0 && { "content-type": headerText(contentType) },
      "Cr-Reason": headerText(letter.reason),
      "Cr-Attempts": String(letter.attempts),
      "Cr-Subscription": headerText(letter.subscription),
      "Cr-Function": headerText(letter.function),
      "Cr-Stream-Sequence": String(letter.streamSequence),
      ...payloadOmitted && { "Cr-Payload": "omitted" },
      "Nats-Msg-Id": `${letter.subscription}/${letter.streamSequence}`
    },
    payload: payloadOmitted ? new Uint8Array() : message.data
  };
}
function headerText(text2) {
  let line = text2.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  return line === "" ? "(no reason given)" : line.length > REASON_LENGTH_MAX ? `${line.slice(0, REASON_LENGTH_MAX - 1).toWellFormed()}\u2026` : line;
}

// functions/kit/match.ts
import { isDeepStrictEqual } from "node:util";
function matchesSelection(selection, event) {
  return event.kind === selection.kind && event.apiversion === selection.apiVersion && (selection.cluster === void 0 || event.cluster === selection.cluster) && (selection.includeExisting === !0 || opOf(event) !== "existing") && (selection.when === void 0 ? opOf(event) !== "unselected" : matches(selection.when, event));
}
function matches(filter, event) {
  let op = opOf(event);
  if (op === "unselected") return !1;
  let before;
  return holds(filter, {
    event,
    born: op === "created" || op === "existing",
    updated: op === "updated",
    deleted: op === "deleted",
    before: () => before ??= beforeOf(op, event.data)
  });
}
function holds(filter, occurrence) {
  let { phase: phase2, field: field2, created: created2, deleted: deleted2, labels: labels2, namespaces: namespaces2, all: all2, any: any2, not: not2 } = filter;
  return (created2 === void 0 || occurrence.born) && (deleted2 === void 0 || occurrence.deleted) && (phase2 === void 0 || phaseHolds(phase2, occurrence)) && (namespaces2 === void 0 || namespaces2.some((glob) => globFits(glob, occurrence.event.namespace ?? ""))) && (labels2 === void 0 || labelsHold(labels2, occurrence.event.data.object)) && (field2 === void 0 || fieldHolds(field2, occurrence)) && (all2 === void 0 || all2.every((each) => holds(each, occurrence))) && (any2 === void 0 || any2.some((each) => holds(each, occurrence))) && (not2 === void 0 || !holds(not2, occurrence));
}
function phaseHolds(wanted, { event, born, updated }) {
  if (!born && !updated) return !1;
  let transition = born ? { from: null, to: event.phase ?? null } : event.data.transitions.phase;
  return transition === void 0 || transition.from === transition.to ? !1 : isAmong(transition.from, wanted.from) && isAmong(transition.to, wanted.to);
}
function isAmong(value, wanted) {
  return wanted === void 0 ? !0 : typeof wanted == "string" ? value === wanted : value !== null && wanted.includes(value);
}
function fieldHolds({ path, from, to }, occurrence) {
  let segments = parseFieldPath(path), { object, patch = [] } = occurrence.event.data, after = valueAt(object, segments);
  if (to !== void 0 && !isDeepStrictEqual(after, to)) return !1;
  if (occurrence.born) return to !== void 0 && from === void 0;
  if (!occurrence.updated) return !1;
  let pointer = toPointer(segments);
  if (!patch.some((operation) => touches(operation.path, pointer, operation.op !== "replace"))) return !1;
  let before = valueAt(occurrence.before(), segments);
  return from !== void 0 && !isDeepStrictEqual(before, from) ? !1 : !isDeepStrictEqual(before, after);
}
function touches(operationPath, pointer, moves) {
  let reach = moves ? operationPath.replace(/\/(?:\d+|-)$/, "") : operationPath;
  return reach === pointer || pointer.startsWith(`${reach}/`) || reach.startsWith(`${pointer}/`);
}
function labelsHold(wanted, object) {
  return Object.entries(wanted).every(([key, value]) => {
    let found = valueAt(object, ["metadata", "labels", key]);
    return typeof value == "string" ? found === value : value.some((each) => found === each);
  });
}
function globFits(glob, text2) {
  let [head = "", ...parts] = glob.split("*"), tail = parts.pop();
  if (tail === void 0) return text2 === glob;
  let end = text2.length - tail.length;
  if (end < head.length || !text2.startsWith(head) || !text2.endsWith(tail)) return !1;
  let position = head.length;
  for (let part of parts) {
    let found = text2.indexOf(part, position);
    if (found < 0 || found + part.length > end) return !1;
    position = found + part.length;
  }
  return !0;
}

// functions/kit/consumer.ts
import { hash } from "node:crypto";
import { isDeepStrictEqual as isDeepStrictEqual2 } from "node:util";
var ConsumerMismatchError = class extends Error {
  code = "CONSUMER_MISMATCH";
  name = "ConsumerMismatchError";
}, STREAM_NOT_FOUND = 10059, CONSUMER_NOT_FOUND = 10014, NANOSECONDS_PER_MS = 1e6, UNWANTED = ["filter_subject", "backoff", "headers_only", "pause_until"];
function consumerName({ subscription }) {
  return `cr-${subscription.name}`;
}
async function findEventsLog(jetStream) {
  let info = await unlessMissing(
    STREAM_NOT_FOUND,
    jetStream.api(
      `STREAM.INFO.${EVENTS_STREAM}`
    )
  );
  return info && { createdAt: info.created, lastSequence: info.state.last_seq, replicas: info.config.num_replicas };
}
async function consumerProgress(jetStream, consumer) {
  let info = await jetStream.api(`CONSUMER.INFO.${EVENTS_STREAM}.${consumer}`);
  return { floorSequence: info.ack_floor.stream_seq, unacknowledged: info.num_ack_pending };
}
async function ensureConsumer(jetStream, binding, settings, startAt) {
  let name = consumerName(binding), found = await unlessMissing(
    CONSUMER_NOT_FOUND,
    jetStream.api(`CONSUMER.INFO.${EVENTS_STREAM}.${name}`)
  ), wanted = wantedConfig(binding, settings);
  if (found === void 0) {
    let config = { name, durable_name: name, ack_policy: "explicit", ...startConfig(startAt), ...wanted };
    return { action: "created", floorSequence: (await put(jetStream, name, config)).ack_floor.stream_seq };
  }
  refuseUnfit(name, found.config);
  let floorSequence = found.ack_floor.stream_seq;
  if (isUpToDate(found.config, wanted)) return { action: "kept", floorSequence };
  let kept = Object.entries(found.config).filter(([key]) => !UNWANTED.includes(key));
  return await put(jetStream, name, { ...Object.fromEntries(kept), ...wanted }), { action: "updated", floorSequence };
}
function put(jetStream, name, config) {
  let body = { stream_name: EVENTS_STREAM, config, action: "" };
  return jetStream.api(`CONSUMER.CREATE.${EVENTS_STREAM}.${name}`, body);
}
function wantedConfig({ subscription, subjects, functionName }, settings) {
  return {
    description: `cr-reactor: subscription ${subscription.name} of function ${functionName}`,
    filter_subjects: subjects,
    ack_wait: settings.ackWaitMs * NANOSECONDS_PER_MS,
    max_ack_pending: settings.heldMax,
    // Without end: giving up is ours to do, because the server would do it silently.
    max_deliver: -1,
    metadata: {
      "cr-subscription": subscription.name,
      "cr-plan": hash("sha256", subjects.join(" "), "hex").slice(0, 16)
    }
  };
}
function startConfig(startAt) {
  return startAt.type !== "after" ? { deliver_policy: startAt.type } : { deliver_policy: "by_start_sequence", opt_start_seq: startAt.streamSequence + 1 };
}
function isUpToDate(found, wanted) {
  let { metadata, ...rest } = wanted, foundMetadata = found.metadata ?? {};
  return Object.entries(rest).every(([key, value]) => isDeepStrictEqual2(found[key], value)) && Object.entries(metadata).every(([key, value]) => foundMetadata[key] === value) && UNWANTED.every((key) => !found[key]);
}
function refuseUnfit(name, found) {
  let remove = `it cannot be changed: rename the subscription, or remove it with \`nats consumer rm ${EVENTS_STREAM} ${name}\``;
  if (found.ack_policy !== "explicit")
    throw new ConsumerMismatchError(
      `consumer ${name} has ack_policy ${found.ack_policy} instead of explicit; ${remove}`
    );
  if (found.deliver_subject)
    throw new ConsumerMismatchError(`consumer ${name} is a push consumer, and cr-reactor pulls; ${remove}`);
}
async function unlessMissing(errCode, answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === errCode) return;
    throw error;
  }
}

// functions/kit/delivery.ts
import { setTimeout as sleep3 } from "node:timers/promises";

// functions/kit/acknowledgement.ts
function createAcknowledgements(jetStream, log) {
  let finished = /* @__PURE__ */ new Set();
  return {
    async finish(streamSequence, ackSubject) {
      finished.add(streamSequence);
      let [oldest] = finished;
      finished.size > 16384 && oldest !== void 0 && finished.delete(oldest);
      try {
        let { status } = await jetStream.request(ackSubject, "+ACK");
        status !== 0 && log.debug({ streamSequence, status }, "nobody took the acknowledgement");
      } catch (error) {
        log.debug(
          { streamSequence, err: error },
          "the acknowledgement may be lost; it is repeated when the event comes again"
        );
      }
    },
    hasFinished: (streamSequence) => finished.has(streamSequence),
    forget: () => finished.clear()
  };
}

// functions/kit/recovery.ts
import { setTimeout as sleep } from "node:timers/promises";
var POLL_INTERVAL_MS = 100;
async function untilAllInHand(options) {
  let { unacknowledged, inHand, timeoutMs, signal } = options, deadlineMs = performance.now() + timeoutMs;
  for (; ; ) {
    let before = inHand(), count = await unacknowledged().catch(() => Number.POSITIVE_INFINITY), now = inHand(), certain = [...before].filter((sequence) => now.has(sequence)).length;
    if (count <= certain) return "all";
    if (performance.now() > deadlineMs) return "timeout";
    await sleep(POLL_INTERVAL_MS, void 0, { signal });
  }
}
function oldestSuspect(events, attempts) {
  let suspects = events.filter(({ deliveryCount }) => deliveryCount > attempts + 1);
  return suspects.length === 0 ? void 0 : Math.min(...suspects.map(({ streamSequence }) => streamSequence));
}
function suspected({ deliveryCount }) {
  let attempts = deliveryCount - 1;
  return { type: "dead-letter", error: new Error(`the process ended ${attempts} times while it handled this event`), attempts };
}

// functions/kit/report.ts
function newCounts() {
  return { done: 0, skipped: 0, retried: 0, deadLetters: 0, lastError: void 0 };
}
function report(log, counts, event, settled) {
  let fields = { ...event, id: settled.eventId, attempt: settled.attempts };
  switch (settled.type) {
    case "done":
      counts.done++, log.info({ ...fields, ...settled.note !== void 0 && { note: settled.note } }, "done");
      break;
    case "skipped":
      counts.skipped++, log.debug({ ...fields, reason: settled.reason }, "skipped");
      break;
    case "dead-letter":
      counts.deadLetters++, counts.lastError = settled.error.message, log.error({ ...fields, err: settled.error }, "given up: the event is a dead letter now");
      break;
    default:
  }
}

// functions/kit/settle.ts
import { setTimeout as sleep2 } from "node:timers/promises";

// functions/kit/attempt.ts
var AttemptTimeoutError = class extends Error {
  code = "ATTEMPT_TIMEOUT";
  name = "AttemptTimeoutError";
};
async function attempt(run, { timeoutMs, graceMs, running }) {
  let controller = new AbortController(), { signal } = controller;
  running.add(controller);
  let timeout = setTimeout(() => controller.abort(timeoutError(timeoutMs)), timeoutMs), grace, abandoned = new Promise((resolve) => {
    let giveUp = () => resolve({ type: "retry", error: signal.reason });
    signal.addEventListener("abort", () => {
      grace = setTimeout(giveUp, graceMs);
    });
  });
  try {
    return await Promise.race([ended(run, signal), abandoned]);
  } finally {
    clearTimeout(timeout), clearTimeout(grace), running.delete(controller);
  }
}
async function ended(run, signal) {
  try {
    let note = await run(signal);
    return { type: "done", ...note !== void 0 && { note } };
  } catch (thrown) {
    let outcome = outcomeOf(thrown);
    return outcome.type === "retry" && signal.aborted ? { type: "retry", error: signal.reason } : outcome;
  }
}
function timeoutError(timeoutMs) {
  return new AttemptTimeoutError(`the function did not end within ${timeoutMs / 1e3} s`);
}

// functions/kit/settle.ts
var WAIT_MS_MAX = 2 ** 31 - 1;
async function settle({ message, deliveryCount }, slotsTaken, options) {
  let { binding, slots, stopping } = options, taken = slotsTaken;
  try {
    let judgement = judge(binding.subscription, message.data);
    if (judgement.type === "ended")
      return judgement.otherVersion !== void 0 && warnOnce(judgement.otherVersion, options), ended2(judgement.outcome, 0);
    let { id } = judgement.event, backoff = createBackoff(options.retry);
    for (let number = deliveryCount; ; number++) {
      let log = options.log.child({ subject: message.subject, id, attempt: number }), outcome = await attempt((signal) => binding.run({ event: judgement.event, attempt: number, log, signal }), { ...options, timeoutMs: binding.timeoutMs });
      if (slots.give(taken), taken = 0, outcome.type !== "retry") return { ...outcome, attempts: number, eventId: id };
      if (stopping.aborted) return;
      if (number >= binding.subscription.attempts) return { ...ended2(outcome, number), eventId: id };
      let waitMs = Math.min(backoff.nextMs(outcome.afterMs), WAIT_MS_MAX);
      if (options.onRetry(outcome.error), log.warn({ error: outcome.error.message, waitMs: Math.round(waitMs) }, "failed; trying again after a while"), !await waited(waitMs, stopping) || !await slots.take(1)) return;
      taken = 1;
    }
  } finally {
    slots.give(taken);
  }
}
function judge(subscription, payload) {
  try {
    let event = parseEnvelope(payload);
    if (matchesSelection(subscription, event)) return { type: "run", event };
    let { apiversion, kind } = event;
    if (kind !== subscription.kind || apiversion === subscription.apiVersion)
      return skipped("the filter does not match");
    let reason = `the event's object is ${apiversion} ${kind}, the subscription asks for ${subscription.apiVersion}`;
    return { ...skipped(reason), otherVersion: apiversion };
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}
function warnOnce(found, { binding, log, otherVersions }) {
  if (otherVersions.has(found)) return;
  otherVersions.add(found);
  let { kind, apiVersion } = binding.subscription;
  log.warn({ kind, wanted: apiVersion, found }, "events of another API version are skipped: bind that version too");
}
function skipped(reason) {
  return { type: "ended", outcome: { type: "skipped", reason } };
}
function asMalformed(thrown) {
  if (thrown instanceof MalformedEventError) return thrown;
  let reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new PermanentError(`the event contradicts itself: ${reason}`, { cause: thrown });
}
function ended2(outcome, attempts) {
  return outcome.type === "retry" ? { type: "dead-letter", error: outcome.error, attempts } : { ...outcome, attempts };
}
async function waited(waitMs, signal) {
  try {
    return await sleep2(waitMs, void 0, { signal }), !0;
  } catch {
    return !1;
  }
}

// functions/kit/slots.ts
function createSlots(slotsMax) {
  let waiting = [], free = slotsMax, paused = !1, closed = !1, grantNext = () => {
    for (; !paused && waiting[0] !== void 0 && waiting[0].count <= free; ) {
      let next = waiting.shift();
      free -= next?.count ?? 0, next?.grant(!0);
    }
  };
  return {
    take(count) {
      if (closed) return Promise.resolve(!1);
      let { promise, resolve } = Promise.withResolvers();
      return waiting.push({ count: Math.min(count, slotsMax), grant: resolve }), grantNext(), promise;
    },
    give(count) {
      free += Math.min(count, slotsMax), grantNext();
    },
    pause() {
      paused = !0;
    },
    resume() {
      paused = !1, grantNext();
    },
    close() {
      closed = !0;
      for (let { grant } of waiting.splice(0)) grant(!1);
    }
  };
}

// functions/kit/delivery.ts
var SIGNS_PER_ACK_WAIT = 3, RECOVERY_MARGIN_MS = 5e3, HAND_BACK = '-NAK {"delay": 1000000000}', HAND_BACK_MS_MAX = 2e3;
function createDelivery(jetStream, binding, log, limits) {
  let { concurrency, attempts } = binding.subscription, counts = newCounts(), held = /* @__PURE__ */ new Map(), lanes = /* @__PURE__ */ new Map(), acknowledgements = createAcknowledgements(jetStream, log), slots = createSlots(concurrency), running = /* @__PURE__ */ new Set(), stopping = new AbortController(), ended3 = new AbortController(), changed = Promise.withResolvers(), highestSequence = 0, recovery, suspect, recoveredOnce = !1, tell = () => {
    changed.resolve(), changed = Promise.withResolvers();
  }, inHand = () => [...held.values()].filter((event) => !event.acknowledging), showLife = () => {
    for (let event of inHand()) jetStream.send(event.ackSubject, "+WPI");
  }, life = setInterval(showLife, limits.ackWaitMs / SIGNS_PER_ACK_WAIT), settleOptions = {
    binding,
    log,
    slots,
    running,
    retry: limits.retry,
    graceMs: limits.graceMs,
    stopping: stopping.signal,
    onRetry: (error) => {
      counts.retried++, counts.lastError = error.message;
    },
    otherVersions: /* @__PURE__ */ new Set()
  }, bury = ({ delivered, sequence }, { attempts: attempts2, error }) => {
    let { subscription, functionName } = binding, reason = error.message || error.name, letter = {
      subscription: subscription.name,
      function: functionName,
      streamSequence: sequence,
      attempts: attempts2,
      reason
    }, sealed = sealDeadLetter(letter, delivered.message, jetStream.payloadBytesMax);
    return publishDeadLetter(jetStream, sealed, { log, signal: ended3.signal });
  }, settleHeld = async ({ delivered, sequence }, slotsTaken) => sequence !== suspect ? settle(delivered, slotsTaken, settleOptions) : (slots.give(slotsTaken), suspected(delivered)), handle = async (event, slotsTaken) => {
    let settled = await settleHeld(event, slotsTaken);
    if (settled === void 0 || ended3.signal.aborted || settled.type === "dead-letter" && !await bury(event, settled)) return;
    let { sequence, delivered } = event;
    report(log, counts, { subject: delivered.message.subject, streamSequence: sequence }, settled), held.get(sequence) === event && (event.acknowledging = !0, await acknowledgements.finish(sequence, event.ackSubject), held.delete(sequence), tell());
  }, follow = async (object, lane) => {
    lane.active = !0;
    for (let next = lane.waiting[0]; next !== void 0; next = lane.waiting[0]) {
      let slotsWanted = next.delivered.deliveryCount > attempts ? concurrency : 1;
      if (!await slots.take(slotsWanted)) break;
      let event = lane.waiting.shift();
      event === void 0 ? slots.give(slotsWanted) : await handle(event, slotsWanted);
    }
    lane.active = !1, lane.waiting.length === 0 && lanes.delete(object), tell();
  }, resume = () => {
    recovery = void 0;
    let deliveries = inHand().map(({ delivered }) => delivered);
    recoveredOnce || (suspect = oldestSuspect(deliveries, attempts)), recoveredOnce = !0, slots.resume();
    let first = ([, lane]) => lane.waiting[0]?.sequence ?? 0;
    for (let [object, lane] of [...lanes].sort((a, b) => first(a) - first(b)))
      lane.active || follow(object, lane);
  };
  return {
    counts,
    showLife,
    async accept(delivered) {
      let { streamSequence: sequence, ackSubject, message } = delivered, known = held.get(sequence);
      if (known !== void 0) known.ackSubject = ackSubject;
      else if (acknowledgements.hasFinished(sequence)) await acknowledgements.finish(sequence, ackSubject);
      else {
        let event = { delivered, sequence, ackSubject, acknowledging: !1 };
        held.set(sequence, event), highestSequence = Math.max(highestSequence, sequence);
        let object = objectPart(message.subject), lane = lanes.get(object) ?? { waiting: [], active: !1 };
        lanes.set(object, lane), insertInOrder(lane.waiting, event), !lane.active && recovery === void 0 && follow(object, lane);
      }
      for (; held.size >= limits.heldMax && !stopping.signal.aborted; ) await changed.promise;
    },
    recover(unacknowledged) {
      if (recovery?.abort(), stopping.signal.aborted) return;
      let mine = new AbortController();
      recovery = mine, slots.pause();
      let options = { unacknowledged, inHand: () => new Set(inHand().map((event) => event.sequence)) }, timeoutMs = limits.ackWaitMs + RECOVERY_MARGIN_MS;
      untilAllInHand({ ...options, timeoutMs, signal: mine.signal }).then(
        (result) => {
          mine.signal.aborted || (result === "timeout" && log.info("some events that are out did not come: another process has them"), resume());
        },
        () => {
        }
      );
    },
    forget() {
      held.clear(), acknowledgements.forget(), highestSequence = 0, suspect = void 0;
      for (let [object, lane] of lanes)
        lane.waiting.length = 0, lane.active || lanes.delete(object);
      tell();
    },
    floorSequence() {
      if (recovery !== void 0) return 0;
      let floor = highestSequence;
      for (let sequence of held.keys()) floor = Math.min(floor, sequence - 1);
      return floor;
    },
    async drain() {
      stopping.abort(), recovery?.abort(), slots.close(), tell();
      let deadline = setTimeout(() => {
        for (let controller of running) controller.abort(new Error("the process stops"));
      }, limits.drainMs), allIdle = async () => {
        for (; !ended3.signal.aborted && [...lanes.values()].some((lane) => lane.active); ) await changed.promise;
      };
      await within(limits.drainMs + limits.graceMs, allIdle()), clearTimeout(deadline), clearInterval(life), ended3.abort();
      let left = inHand();
      left.length > 0 && log.info({ left: left.length }, "events that are not done go back and are delivered again");
      let handedBack = left.map((event) => jetStream.request(event.ackSubject, HAND_BACK));
      await within(HAND_BACK_MS_MAX, Promise.allSettled(handedBack));
    }
  };
}
function insertInOrder(waiting, event) {
  let position = waiting.length;
  for (; position > 0 && (waiting[position - 1]?.sequence ?? 0) > event.sequence; ) position--;
  waiting.splice(position, 0, event);
}
async function within(timeMs, work) {
  let timer = new AbortController();
  try {
    await Promise.race([work, sleep3(timeMs, void 0, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}

// functions/kit/delivery-limits.ts
function deliveryLimits(concurrency) {
  return {
    ackWaitMs: 3e4,
    // Room for events behind slow objects; the server keeps the rest.
    heldMax: Math.min(1024, Math.max(64, concurrency * 16)),
    graceMs: 5e3,
    drainMs: 1e4,
    // Eight tries take three to six minutes: long enough for a restart of the other side.
    retry: { firstMs: 1e3, maxMs: 6e4, resetAfterMs: Number.POSITIVE_INFINITY }
  };
}

// functions/kit/subscribe.ts
var START_BACKOFF = { firstMs: 250, maxMs: 5e3, resetAfterMs: 12e4 };
function subscribe(jetStream, binding, { log: parentLog, signal, limits: overrides }) {
  let { name, concurrency } = binding.subscription, log = parentLog.child({ subscription: name }), limits = { ...deliveryLimits(concurrency), ...overrides }, delivery = createDelivery(jetStream, binding, log, limits), position = { logCreatedAt: void 0, waitedForLog: !1, floorSequence: void 0 }, state = "starting", trouble, consumer = consumerName(binding), recover = () => delivery.recover(async () => {
    let { floorSequence, unacknowledged } = await consumerProgress(jetStream, consumer);
    return position.floorSequence = floorSequence, unacknowledged;
  }), deliverAll = async () => {
    if (signal.aborted) return;
    state = "running", trouble = void 0, recover();
    let options = { stream: EVENTS_STREAM, consumer, demandMax: limits.heldMax, signal };
    for await (let delivered of pull(jetStream, options)) await delivery.accept(delivered);
  }, tellTrouble = (error) => {
    trouble = error instanceof Error ? error.message : String(error), state = "failing", error instanceof ConsumerGoneError ? log.warn({ reason: trouble }, "the consumer is gone; it is made again") : log.error({ err: error }, "the subscription cannot run; trying again");
  }, run = async () => {
    let backoff = createBackoff(START_BACKOFF);
    for (; !signal.aborted; ) {
      try {
        await begin(jetStream, binding, { log, limits, delivery, position }) ? await deliverAll() : state = "waiting";
      } catch (error) {
        if (signal.aborted) return;
        tellTrouble(error), error instanceof RequestLostError && await jetStream.whenConnected(signal).catch(() => {
        });
      }
      await backoff.wait(signal).catch(() => {
      });
    }
  };
  return {
    done: (async () => {
      let drained = aborted(signal).then(() => (state = "draining", delivery.drain())), stopListening = jetStream.onConnection((event) => {
        event.type === "connected" && (delivery.showLife(), state === "running" && recover());
      });
      await run(), await drained, stopListening(), state = "stopped", log.info("stopped");
    })(),
    status: () => ({
      ...delivery.counts,
      lastError: trouble ?? delivery.counts.lastError,
      name,
      function: binding.functionName,
      state
    })
  };
}
async function begin(jetStream, binding, { log, limits, delivery, position }) {
  let eventsLog = await findEventsLog(jetStream);
  if (eventsLog === void 0)
    return position.waitedForLog || log.info(`there is no stream ${EVENTS_STREAM} yet: waiting for a bridge to start`), position.waitedForLog = !0, !1;
  position.logCreatedAt !== void 0 && position.logCreatedAt !== eventsLog.createdAt && (log.warn(`the stream ${EVENTS_STREAM} is another one than before: it is read from its beginning`), delivery.forget(), position.floorSequence = 0), position.logCreatedAt = eventsLog.createdAt;
  for (let remark of await ensureDeadLetters(jetStream, eventsLog.replicas)) log.debug(remark);
  let known = Math.max(position.floorSequence ?? 0, delivery.floorSequence()), startAt = startOf(binding, position, Math.min(known, eventsLog.lastSequence)), { action, floorSequence } = await ensureConsumer(jetStream, binding, limits, startAt);
  position.floorSequence = floorSequence;
  let fields = { consumer: consumerName(binding), subjects: binding.subjects, afterSequence: floorSequence };
  return log.info(fields, `consumer ${action}`), !0;
}
function startOf(binding, position, streamSequence) {
  return position.floorSequence !== void 0 ? { type: "after", streamSequence } : { type: position.waitedForLog || binding.subscription.start === "all" ? "all" : "new" };
}
function aborted(signal) {
  return new Promise((resolve) => {
    signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: !0 });
  });
}

export {
  defineFunction,
  phase,
  PermanentError,
  RetryAfterError,
  subscribe,
  SubscriptionsFile,
  SubscriptionError,
  parseSubscriptions,
  ownSubscription,
  bind
};
