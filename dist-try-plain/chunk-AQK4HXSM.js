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
} from "./chunk-T7EPHQBX.js";

// functions/kit/define.ts
function defineFunction(definition) {
  return definition;
}

// functions/kit/filter.ts
var text = external_exports.string().min(1, "expected some text");
var oneOrMore = external_exports.union([text, external_exports.array(text).min(1, "name at least one value")]);
var json = external_exports.json();
var PhaseFilter = external_exports.strictObject({ from: oneOrMore.optional(), to: oneOrMore.optional() });
var FieldFilter = external_exports.strictObject({ path: FieldPath, from: json.optional(), to: json.optional() });
var fact = external_exports.literal(true, { error: "expected true: for the opposite write not: { \u2026 }" });
var plainFilter = {
  phase: PhaseFilter.optional(),
  field: FieldFilter.optional(),
  created: fact.optional(),
  deleted: fact.optional(),
  /** Labels of the object after the change: key to value, or to a list of values of which any will do. */
  labels: external_exports.record(text, external_exports.union([external_exports.string(), external_exports.array(external_exports.string()).min(1)])).optional(),
  /** Globs of namespaces of which any will do; `*` is any run of characters. */
  namespaces: external_exports.array(text).min(1, "name at least one namespace").optional()
};
var Filter = external_exports.strictObject({
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
});
var Selection = external_exports.strictObject({
  /** Group and version as in manifests: `demo.example.com/v1`. */
  apiVersion: text.regex(/^([a-z0-9.-]+\/)?[a-z0-9]+$/, "expected group/version, such as demo.example.com/v1"),
  kind: text.regex(/^[A-Za-z][A-Za-z0-9]*$/, "expected a kind, such as Database"),
  /** The name a bridge gives its cluster; left out: any. */
  cluster: external_exports.string().regex(/^[a-z0-9-]+$/, "expected the name of one cluster: a-z, 0-9 and -").optional(),
  /** Left out: everything that happens to such an object. */
  when: Filter.optional(),
  /** Whether objects that were already there when the bridge first saw them count as born now; default false. */
  includeExisting: external_exports.boolean().default(false)
});
function phase(transition = {}) {
  return { phase: transition };
}

// functions/kit/outcome.ts
var PermanentError = class extends Error {
  code = "PERMANENT";
  name = "PermanentError";
};
var RetryAfterError = class extends Error {
  code = "RETRY_AFTER";
  name = "RetryAfterError";
  afterMs;
  constructor(message, afterMs, options) {
    super(message, options);
    this.afterMs = afterMs > 0 ? afterMs : 0;
  }
};
function outcomeOf(thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (error instanceof PermanentError) return { type: "dead-letter", error };
  if (error instanceof RetryAfterError) return { type: "retry", error, afterMs: error.afterMs };
  return { type: "retry", error };
}

// functions/kit/plan.ts
var SUBJECTS_MAX = 64;
var COMPARED_MAX = 1024;
var DIMENSIONS = ["namespace", "op", "spec", "status", "phase"];
var EVERYTHING = [{}];
function planSubjects({ apiVersion, kind, cluster, when, includeExisting = false }) {
  const births = includeExisting ? ["created", "existing"] : ["created"];
  const considered = [...births, "updated", "deleted"];
  const wanted = when === void 0 ? EVERYTHING : patternsOf(when, births);
  const patterns = withoutNeedlessOps(
    both(
      considered.map((op) => ({ op })),
      wanted
    ),
    considered
  );
  const object = [
    cluster === void 0 ? "*" : encodeToken(cluster),
    encodeToken(groupOf(apiVersion)),
    encodeToken(kind)
  ];
  const subjects = patterns.map(
    ({ namespace = "*", op = "*", spec = "*", status = "*", phase: phase2 = "*" }) => [SUBJECT_ROOT, ...object, namespace, "*", op, spec, status, phase2, "*"].join(".")
  );
  return { subjects: subjects.sort() };
}
function patternsOf(filter, births) {
  const { phase: phase2, field: field2, created: created2, deleted: deleted2, namespaces: namespaces2, all: all2 = [], any: any2 } = filter;
  const conjuncts = all2.map((each) => patternsOf(each, births));
  if (created2 !== void 0) conjuncts.push(births.map((op) => ({ op })));
  if (deleted2 !== void 0) conjuncts.push([{ op: "deleted" }]);
  if (phase2 !== void 0) conjuncts.push(phasePatterns(phase2, births));
  if (field2 !== void 0) conjuncts.push(fieldPatterns(field2, births));
  if (namespaces2 !== void 0) conjuncts.push(namespaces2.map(namespacePattern));
  if (any2 !== void 0) conjuncts.push(any2.flatMap((each) => patternsOf(each, births)));
  return conjuncts.reduce(both, EVERYTHING);
}
function phasePatterns({ from, to }, births) {
  const tokens = to === void 0 ? [{}] : [to].flat().map((phase2) => ({ phase: encodePhase(phase2) }));
  const updates = tokens.map((token) => ({ ...token, op: "updated" }));
  if (from !== void 0) return updates;
  const born = (op) => op === "existing" ? [{ op }] : tokens.map((token) => ({ ...token, op }));
  return [...updates, ...births.flatMap(born)];
}
function fieldPatterns({ path, from, to }, births) {
  const part = partPattern(parseFieldPath(path)[0] ?? "");
  const updates = [{ ...part, op: "updated" }];
  if (to === void 0 || from !== void 0) return updates;
  return [...updates, ...births.map((op) => op === "existing" ? { op } : { ...part, op })];
}
function partPattern(key) {
  if (key === "status") return { status: "status" };
  return key === "metadata" || key === "apiVersion" || key === "kind" ? {} : { spec: "spec" };
}
function namespacePattern(glob) {
  return glob.includes("*") ? {} : { namespace: encodeToken(glob) };
}
function withoutNeedlessOps(patterns, considered) {
  const alike = Map.groupBy(patterns, ({ op: _, ...rest }) => keyOf(rest));
  const merged = [...alike.values()].flatMap((group) => {
    const { op: _, ...rest } = group[0] ?? {};
    const isTold = rest.spec !== void 0 || rest.status !== void 0 || rest.phase !== void 0;
    const enough = isTold ? ["created", "updated"] : considered;
    return enough.every((op) => group.some((pattern) => pattern.op === op)) ? [...group, rest] : group;
  });
  return reduced(merged);
}
function both(left, right) {
  const common = [];
  for (const a of reduced(left)) {
    for (const b of reduced(right)) {
      const disjoint = DIMENSIONS.some((d) => a[d] !== void 0 && b[d] !== void 0 && a[d] !== b[d]);
      if (!disjoint) common.push({ ...a, ...b });
    }
  }
  return reduced(common);
}
function reduced(patterns) {
  let kept = distinct(patterns);
  while (kept.length > COMPARED_MAX) kept = widened(kept);
  kept = withoutCovered(kept);
  while (kept.length > SUBJECTS_MAX) kept = withoutCovered(widened(kept));
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
  const variety = (d) => new Set(patterns.map((pattern) => pattern[d])).size;
  const [widest = "phase"] = [...DIMENSIONS].sort((a, b) => variety(b) - variety(a));
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
});
var SubscriptionsFile = external_exports.strictObject({
  nats: NatsSettings,
  subscriptions: external_exports.array(Subscription).min(1, "name at least one subscription").superRefine(refuseSameNames)
});
var SubscriptionError = class extends Error {
  code = "SUBSCRIPTION_INVALID";
  name = "SubscriptionError";
};
var TIMEOUT_MS_DEFAULT = 3e4;
function parseSubscriptions(text2, fileName) {
  return parseYamlConfig(SubscriptionsFile, text2, fileName);
}
function ownSubscription(definition) {
  if (definition.subscription === void 0) {
    throw new SubscriptionError(
      `function "${definition.name}" does not say what it reacts to: bind it in a subscriptions file (apiVersion, kind, when)`
    );
  }
  return Subscription.parse({ name: definition.name, function: definition.name, ...definition.subscription });
}
function bind(subscription, definition) {
  const { name, timeoutSeconds } = subscription;
  const parsed = definition.config.safeParse(subscription.config);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${["config", ...issue.path].join(".")}: ${issue.message}`);
    throw new SubscriptionError(
      `subscription "${name}": the settings do not fit the function ${definition.name}: ${problems.join("; ")}`
    );
  }
  const config = parsed.data;
  const { subjects } = planSubjects(subscription);
  if (subjects.length === 0) {
    throw new SubscriptionError(
      `subscription "${name}": when: no event can ever match, because its parts exclude each other`
    );
  }
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
  const { event } = call;
  let before;
  return {
    ...call,
    object: event.data.object,
    get before() {
      before ??= beforeOf(opOf(event), event.data);
      return before;
    },
    change: event.data,
    config,
    subscription,
    idempotencyKey: `${subscription}/${event.id}`
  };
}
function refuseSameNames(subscriptions, context) {
  const seen = /* @__PURE__ */ new Set();
  for (const [index, { name }] of subscriptions.entries()) {
    if (seen.has(name)) {
      context.addIssue({
        code: "custom",
        path: [index, "name"],
        message: `"${name}" is the name of another one too: choose another`
      });
    }
    seen.add(name);
  }
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
});
var REASON_LENGTH_MAX = 1e3;
var HEADERS_BYTES_MAX = 8192;
var PUBLISH_BACKOFF = { firstMs: 500, maxMs: 3e4, resetAfterMs: Number.POSITIVE_INFINITY };
var NO_RESPONDERS = 503;
function ensureDeadLetters(jetStream, replicas) {
  const parsed = StreamSettings.safeParse({ replicas });
  return ensureStream(jetStream, deadLettersStream(parsed.success ? parsed.data : StreamSettings.parse({})));
}
async function publishDeadLetter(jetStream, letter, { log, signal }) {
  const backoff = createBackoff(PUBLISH_BACKOFF);
  for (; ; ) {
    try {
      await jetStream.publish(letter.subject, letter.payload, letter.headers);
      return true;
    } catch (error) {
      log.error(
        { subject: letter.subject, err: error },
        "the dead letter is not stored yet: its event is kept, trying again"
      );
      if (error instanceof JetStreamApiError && error.status === NO_RESPONDERS)
        await ensureDeadLetters(jetStream, 1).catch(() => void 0);
    }
    try {
      await backoff.wait(signal);
    } catch {
      return false;
    }
  }
}
function sealDeadLetter(letter, message, payloadBytesMax) {
  const payloadOmitted = message.data.length > payloadBytesMax - HEADERS_BYTES_MAX;
  const contentType = message.header("content-type");
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
  const line = text2.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  if (line === "") return "(no reason given)";
  return line.length > REASON_LENGTH_MAX ? `${line.slice(0, REASON_LENGTH_MAX - 1).toWellFormed()}\u2026` : line;
}

// functions/kit/match.ts
import { isDeepStrictEqual } from "node:util";
function matchesSelection(selection, event) {
  return event.kind === selection.kind && event.apiversion === selection.apiVersion && (selection.cluster === void 0 || event.cluster === selection.cluster) && (selection.includeExisting === true || opOf(event) !== "existing") && (selection.when === void 0 ? opOf(event) !== "unselected" : matches(selection.when, event));
}
function matches(filter, event) {
  const op = opOf(event);
  if (op === "unselected") return false;
  let before;
  const occurrence = {
    event,
    born: op === "created" || op === "existing",
    updated: op === "updated",
    deleted: op === "deleted",
    before: () => before ??= beforeOf(op, event.data)
  };
  return holds(filter, occurrence);
}
function holds(filter, occurrence) {
  const { phase: phase2, field: field2, created: created2, deleted: deleted2, labels: labels2, namespaces: namespaces2, all: all2, any: any2, not: not2 } = filter;
  return (created2 === void 0 || occurrence.born) && (deleted2 === void 0 || occurrence.deleted) && (phase2 === void 0 || phaseHolds(phase2, occurrence)) && (namespaces2 === void 0 || namespaces2.some((glob) => globFits(glob, occurrence.event.namespace ?? ""))) && (labels2 === void 0 || labelsHold(labels2, occurrence.event.data.object)) && (field2 === void 0 || fieldHolds(field2, occurrence)) && (all2 === void 0 || all2.every((each) => holds(each, occurrence))) && (any2 === void 0 || any2.some((each) => holds(each, occurrence))) && (not2 === void 0 || !holds(not2, occurrence));
}
function phaseHolds(wanted, { event, born, updated }) {
  if (!born && !updated) return false;
  const transition = born ? { from: null, to: event.phase ?? null } : event.data.transitions.phase;
  if (transition === void 0 || transition.from === transition.to) return false;
  return isAmong(transition.from, wanted.from) && isAmong(transition.to, wanted.to);
}
function isAmong(value, wanted) {
  if (wanted === void 0) return true;
  return typeof wanted === "string" ? value === wanted : value !== null && wanted.includes(value);
}
function fieldHolds({ path, from, to }, occurrence) {
  const segments = parseFieldPath(path);
  const { object, patch = [] } = occurrence.event.data;
  const after = valueAt(object, segments);
  if (to !== void 0 && !isDeepStrictEqual(after, to)) return false;
  if (occurrence.born) return to !== void 0 && from === void 0;
  if (!occurrence.updated) return false;
  const pointer = toPointer(segments);
  if (!patch.some((operation) => touches(operation.path, pointer, operation.op !== "replace"))) return false;
  const before = valueAt(occurrence.before(), segments);
  if (from !== void 0 && !isDeepStrictEqual(before, from)) return false;
  return !isDeepStrictEqual(before, after);
}
function touches(operationPath, pointer, moves) {
  const reach = moves ? operationPath.replace(/\/(?:\d+|-)$/, "") : operationPath;
  return reach === pointer || pointer.startsWith(`${reach}/`) || reach.startsWith(`${pointer}/`);
}
function labelsHold(wanted, object) {
  return Object.entries(wanted).every(([key, value]) => {
    const found = valueAt(object, ["metadata", "labels", key]);
    return typeof value === "string" ? found === value : value.some((each) => found === each);
  });
}
function globFits(glob, text2) {
  const [head = "", ...parts] = glob.split("*");
  const tail = parts.pop();
  if (tail === void 0) return text2 === glob;
  const end = text2.length - tail.length;
  if (end < head.length || !text2.startsWith(head) || !text2.endsWith(tail)) return false;
  let position = head.length;
  for (const part of parts) {
    const found = text2.indexOf(part, position);
    if (found < 0 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}

// functions/kit/consumer.ts
import { hash } from "node:crypto";
import { isDeepStrictEqual as isDeepStrictEqual2 } from "node:util";
var ConsumerMismatchError = class extends Error {
  code = "CONSUMER_MISMATCH";
  name = "ConsumerMismatchError";
};
var STREAM_NOT_FOUND = 10059;
var CONSUMER_NOT_FOUND = 10014;
var NANOSECONDS_PER_MS = 1e6;
var UNWANTED = ["filter_subject", "backoff", "headers_only", "pause_until"];
function consumerName({ subscription }) {
  return `cr-${subscription.name}`;
}
async function findEventsLog(jetStream) {
  const info = await unlessMissing(
    STREAM_NOT_FOUND,
    jetStream.api(
      `STREAM.INFO.${EVENTS_STREAM}`
    )
  );
  return info && { createdAt: info.created, lastSequence: info.state.last_seq, replicas: info.config.num_replicas };
}
async function consumerProgress(jetStream, consumer) {
  const info = await jetStream.api(`CONSUMER.INFO.${EVENTS_STREAM}.${consumer}`);
  return { floorSequence: info.ack_floor.stream_seq, unacknowledged: info.num_ack_pending };
}
async function ensureConsumer(jetStream, binding, settings, startAt) {
  const name = consumerName(binding);
  const found = await unlessMissing(
    CONSUMER_NOT_FOUND,
    jetStream.api(`CONSUMER.INFO.${EVENTS_STREAM}.${name}`)
  );
  const wanted = wantedConfig(binding, settings);
  if (found === void 0) {
    const config = { name, durable_name: name, ack_policy: "explicit", ...startConfig(startAt), ...wanted };
    return { action: "created", floorSequence: (await put(jetStream, name, config)).ack_floor.stream_seq };
  }
  refuseUnfit(name, found.config);
  const floorSequence = found.ack_floor.stream_seq;
  if (isUpToDate(found.config, wanted)) return { action: "kept", floorSequence };
  const kept = Object.entries(found.config).filter(([key]) => !UNWANTED.includes(key));
  await put(jetStream, name, { ...Object.fromEntries(kept), ...wanted });
  return { action: "updated", floorSequence };
}
function put(jetStream, name, config) {
  const body = { stream_name: EVENTS_STREAM, config, action: "" };
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
  if (startAt.type !== "after") return { deliver_policy: startAt.type };
  return { deliver_policy: "by_start_sequence", opt_start_seq: startAt.streamSequence + 1 };
}
function isUpToDate(found, wanted) {
  const { metadata, ...rest } = wanted;
  const foundMetadata = found["metadata"] ?? {};
  return Object.entries(rest).every(([key, value]) => isDeepStrictEqual2(found[key], value)) && Object.entries(metadata).every(([key, value]) => foundMetadata[key] === value) && UNWANTED.every((key) => !found[key]);
}
function refuseUnfit(name, found) {
  const remove = `it cannot be changed: rename the subscription, or remove it with \`nats consumer rm ${EVENTS_STREAM} ${name}\``;
  if (found["ack_policy"] !== "explicit")
    throw new ConsumerMismatchError(
      `consumer ${name} has ack_policy ${found["ack_policy"]} instead of explicit; ${remove}`
    );
  if (found["deliver_subject"])
    throw new ConsumerMismatchError(`consumer ${name} is a push consumer, and cr-reactor pulls; ${remove}`);
}
async function unlessMissing(errCode, answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === errCode) return void 0;
    throw error;
  }
}

// functions/kit/delivery.ts
import { setTimeout as sleep3 } from "node:timers/promises";

// functions/kit/acknowledgement.ts
var FINISHED_MAX = 16384;
function createAcknowledgements(jetStream, log) {
  const finished = /* @__PURE__ */ new Set();
  return {
    async finish(streamSequence, ackSubject) {
      finished.add(streamSequence);
      const [oldest] = finished;
      if (finished.size > FINISHED_MAX && oldest !== void 0) finished.delete(oldest);
      try {
        const { status } = await jetStream.request(ackSubject, "+ACK");
        if (status !== 0) log.debug({ streamSequence, status }, "nobody took the acknowledgement");
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
  const { unacknowledged, inHand, timeoutMs, signal } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (; ; ) {
    const before = inHand();
    const count = await unacknowledged().catch(() => Number.POSITIVE_INFINITY);
    const now = inHand();
    const certain = [...before].filter((sequence) => now.has(sequence)).length;
    if (count <= certain) return "all";
    if (performance.now() > deadlineMs) return "timeout";
    await sleep(POLL_INTERVAL_MS, void 0, { signal });
  }
}
function oldestSuspect(events, attempts) {
  const suspects = events.filter(({ deliveryCount }) => deliveryCount > attempts + 1);
  return suspects.length === 0 ? void 0 : Math.min(...suspects.map(({ streamSequence }) => streamSequence));
}
function suspected({ deliveryCount }) {
  const attempts = deliveryCount - 1;
  const error = new Error(`the process ended ${attempts} times while it handled this event`);
  return { type: "dead-letter", error, attempts };
}

// functions/kit/report.ts
function newCounts() {
  return { done: 0, skipped: 0, retried: 0, deadLetters: 0, lastError: void 0 };
}
function report(log, counts, event, settled) {
  const fields = { ...event, id: settled.eventId, attempt: settled.attempts };
  switch (settled.type) {
    case "done":
      counts.done++;
      log.info({ ...fields, ...settled.note !== void 0 && { note: settled.note } }, "done");
      break;
    case "skipped":
      counts.skipped++;
      log.debug({ ...fields, reason: settled.reason }, "skipped");
      break;
    case "dead-letter":
      counts.deadLetters++;
      counts.lastError = settled.error.message;
      log.error({ ...fields, err: settled.error }, "given up: the event is a dead letter now");
      break;
    default:
      settled;
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
  const controller = new AbortController();
  const { signal } = controller;
  running.add(controller);
  const timeout = setTimeout(() => controller.abort(timeoutError(timeoutMs)), timeoutMs);
  let grace;
  const abandoned = new Promise((resolve) => {
    const giveUp = () => resolve({ type: "retry", error: signal.reason });
    signal.addEventListener("abort", () => {
      grace = setTimeout(giveUp, graceMs);
    });
  });
  try {
    return await Promise.race([ended(run, signal), abandoned]);
  } finally {
    clearTimeout(timeout);
    clearTimeout(grace);
    running.delete(controller);
  }
}
async function ended(run, signal) {
  try {
    const note = await run(signal);
    return { type: "done", ...note !== void 0 && { note } };
  } catch (thrown) {
    const outcome = outcomeOf(thrown);
    return outcome.type === "retry" && signal.aborted ? { type: "retry", error: signal.reason } : outcome;
  }
}
function timeoutError(timeoutMs) {
  return new AttemptTimeoutError(`the function did not end within ${timeoutMs / 1e3} s`);
}

// functions/kit/settle.ts
var WAIT_MS_MAX = 2 ** 31 - 1;
async function settle({ message, deliveryCount }, slotsTaken, options) {
  const { binding, slots, stopping } = options;
  let taken = slotsTaken;
  try {
    const judgement = judge(binding.subscription, message.data);
    if (judgement.type === "ended") {
      if (judgement.otherVersion !== void 0) warnOnce(judgement.otherVersion, options);
      return ended2(judgement.outcome, 0);
    }
    const { id } = judgement.event;
    const backoff = createBackoff(options.retry);
    for (let number = deliveryCount; ; number++) {
      const log = options.log.child({ subject: message.subject, id, attempt: number });
      const call = (signal) => binding.run({ event: judgement.event, attempt: number, log, signal });
      const outcome = await attempt(call, { ...options, timeoutMs: binding.timeoutMs });
      slots.give(taken);
      taken = 0;
      if (outcome.type !== "retry") return { ...outcome, attempts: number, eventId: id };
      if (stopping.aborted) return void 0;
      if (number >= binding.subscription.attempts) return { ...ended2(outcome, number), eventId: id };
      const waitMs = Math.min(backoff.nextMs(outcome.afterMs), WAIT_MS_MAX);
      options.onRetry(outcome.error);
      log.warn({ error: outcome.error.message, waitMs: Math.round(waitMs) }, "failed; trying again after a while");
      if (!await waited(waitMs, stopping) || !await slots.take(1)) return void 0;
      taken = 1;
    }
  } finally {
    slots.give(taken);
  }
}
function judge(subscription, payload) {
  try {
    const event = parseEnvelope(payload);
    if (matchesSelection(subscription, event)) return { type: "run", event };
    const { apiversion, kind } = event;
    if (kind !== subscription.kind || apiversion === subscription.apiVersion)
      return skipped("the filter does not match");
    const reason = `the event's object is ${apiversion} ${kind}, the subscription asks for ${subscription.apiVersion}`;
    return { ...skipped(reason), otherVersion: apiversion };
  } catch (thrown) {
    return { type: "ended", outcome: { type: "dead-letter", error: asMalformed(thrown) } };
  }
}
function warnOnce(found, { binding, log, otherVersions }) {
  if (otherVersions.has(found)) return;
  otherVersions.add(found);
  const { kind, apiVersion } = binding.subscription;
  log.warn({ kind, wanted: apiVersion, found }, "events of another API version are skipped: bind that version too");
}
function skipped(reason) {
  return { type: "ended", outcome: { type: "skipped", reason } };
}
function asMalformed(thrown) {
  if (thrown instanceof MalformedEventError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new PermanentError(`the event contradicts itself: ${reason}`, { cause: thrown });
}
function ended2(outcome, attempts) {
  return outcome.type === "retry" ? { type: "dead-letter", error: outcome.error, attempts } : { ...outcome, attempts };
}
async function waited(waitMs, signal) {
  try {
    await sleep2(waitMs, void 0, { signal });
    return true;
  } catch {
    return false;
  }
}

// functions/kit/slots.ts
function createSlots(slotsMax) {
  const waiting = [];
  let free = slotsMax;
  let paused = false;
  let closed = false;
  const grantNext = () => {
    while (!paused && waiting[0] !== void 0 && waiting[0].count <= free) {
      const next = waiting.shift();
      free -= next?.count ?? 0;
      next?.grant(true);
    }
  };
  return {
    take(count) {
      if (closed) return Promise.resolve(false);
      const { promise, resolve } = Promise.withResolvers();
      waiting.push({ count: Math.min(count, slotsMax), grant: resolve });
      grantNext();
      return promise;
    },
    give(count) {
      free += Math.min(count, slotsMax);
      grantNext();
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      grantNext();
    },
    close() {
      closed = true;
      for (const { grant } of waiting.splice(0)) grant(false);
    }
  };
}

// functions/kit/delivery.ts
var SIGNS_PER_ACK_WAIT = 3;
var RECOVERY_MARGIN_MS = 5e3;
var HAND_BACK = `-NAK {"delay": ${1e9}}`;
var HAND_BACK_MS_MAX = 2e3;
function createDelivery(jetStream, binding, log, limits) {
  const { concurrency, attempts } = binding.subscription;
  const counts = newCounts();
  const held = /* @__PURE__ */ new Map();
  const lanes = /* @__PURE__ */ new Map();
  const acknowledgements = createAcknowledgements(jetStream, log);
  const slots = createSlots(concurrency);
  const running = /* @__PURE__ */ new Set();
  const stopping = new AbortController();
  const ended3 = new AbortController();
  let changed = Promise.withResolvers();
  let highestSequence = 0;
  let recovery;
  let suspect;
  let recoveredOnce = false;
  const tell = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const inHand = () => [...held.values()].filter((event) => !event.acknowledging);
  const showLife = () => {
    for (const event of inHand()) jetStream.send(event.ackSubject, "+WPI");
  };
  const life = setInterval(showLife, limits.ackWaitMs / SIGNS_PER_ACK_WAIT);
  const settleOptions = {
    ...{ binding, log, slots, running, retry: limits.retry, graceMs: limits.graceMs, stopping: stopping.signal },
    onRetry: (error) => {
      counts.retried++;
      counts.lastError = error.message;
    },
    otherVersions: /* @__PURE__ */ new Set()
  };
  const bury = ({ delivered, sequence }, { attempts: attempts2, error }) => {
    const { subscription, functionName } = binding;
    const reason = error.message || error.name;
    const letter = {
      subscription: subscription.name,
      function: functionName,
      streamSequence: sequence,
      attempts: attempts2,
      reason
    };
    const sealed = sealDeadLetter(letter, delivered.message, jetStream.payloadBytesMax);
    return publishDeadLetter(jetStream, sealed, { log, signal: ended3.signal });
  };
  const settleHeld = async ({ delivered, sequence }, slotsTaken) => {
    if (sequence !== suspect) return settle(delivered, slotsTaken, settleOptions);
    slots.give(slotsTaken);
    return suspected(delivered);
  };
  const handle = async (event, slotsTaken) => {
    const settled = await settleHeld(event, slotsTaken);
    if (settled === void 0 || ended3.signal.aborted) return;
    if (settled.type === "dead-letter" && !await bury(event, settled)) return;
    const { sequence, delivered } = event;
    report(log, counts, { subject: delivered.message.subject, streamSequence: sequence }, settled);
    if (held.get(sequence) !== event) return;
    event.acknowledging = true;
    await acknowledgements.finish(sequence, event.ackSubject);
    held.delete(sequence);
    tell();
  };
  const follow = async (object, lane) => {
    lane.active = true;
    for (let next = lane.waiting[0]; next !== void 0; next = lane.waiting[0]) {
      const slotsWanted = next.delivered.deliveryCount > attempts ? concurrency : 1;
      if (!await slots.take(slotsWanted)) break;
      const event = lane.waiting.shift();
      if (event === void 0) slots.give(slotsWanted);
      else await handle(event, slotsWanted);
    }
    lane.active = false;
    if (lane.waiting.length === 0) lanes.delete(object);
    tell();
  };
  const resume = () => {
    recovery = void 0;
    const deliveries = inHand().map(({ delivered }) => delivered);
    if (!recoveredOnce) suspect = oldestSuspect(deliveries, attempts);
    recoveredOnce = true;
    slots.resume();
    const first = ([, lane]) => lane.waiting[0]?.sequence ?? 0;
    for (const [object, lane] of [...lanes].sort((a, b) => first(a) - first(b))) {
      if (!lane.active) void follow(object, lane);
    }
  };
  return {
    counts,
    showLife,
    async accept(delivered) {
      const { streamSequence: sequence, ackSubject, message } = delivered;
      const known = held.get(sequence);
      if (known !== void 0) known.ackSubject = ackSubject;
      else if (acknowledgements.hasFinished(sequence)) await acknowledgements.finish(sequence, ackSubject);
      else {
        const event = { delivered, sequence, ackSubject, acknowledging: false };
        held.set(sequence, event);
        highestSequence = Math.max(highestSequence, sequence);
        const object = objectPart(message.subject);
        const lane = lanes.get(object) ?? { waiting: [], active: false };
        lanes.set(object, lane);
        insertInOrder(lane.waiting, event);
        if (!lane.active && recovery === void 0) void follow(object, lane);
      }
      while (held.size >= limits.heldMax && !stopping.signal.aborted) await changed.promise;
    },
    recover(unacknowledged) {
      recovery?.abort();
      if (stopping.signal.aborted) return;
      const mine = new AbortController();
      recovery = mine;
      slots.pause();
      const options = { unacknowledged, inHand: () => new Set(inHand().map((event) => event.sequence)) };
      const timeoutMs = limits.ackWaitMs + RECOVERY_MARGIN_MS;
      untilAllInHand({ ...options, timeoutMs, signal: mine.signal }).then(
        (result) => {
          if (mine.signal.aborted) return;
          if (result === "timeout") log.info("some events that are out did not come: another process has them");
          resume();
        },
        () => void 0
      );
    },
    forget() {
      held.clear();
      acknowledgements.forget();
      highestSequence = 0;
      suspect = void 0;
      for (const [object, lane] of lanes) {
        lane.waiting.length = 0;
        if (!lane.active) lanes.delete(object);
      }
      tell();
    },
    floorSequence() {
      if (recovery !== void 0) return 0;
      let floor = highestSequence;
      for (const sequence of held.keys()) floor = Math.min(floor, sequence - 1);
      return floor;
    },
    async drain() {
      stopping.abort();
      recovery?.abort();
      slots.close();
      tell();
      const deadline = setTimeout(() => {
        for (const controller of running) controller.abort(new Error("the process stops"));
      }, limits.drainMs);
      const allIdle = async () => {
        while (!ended3.signal.aborted && [...lanes.values()].some((lane) => lane.active)) await changed.promise;
      };
      await within(limits.drainMs + limits.graceMs, allIdle());
      clearTimeout(deadline);
      clearInterval(life);
      ended3.abort();
      const left = inHand();
      if (left.length > 0) log.info({ left: left.length }, "events that are not done go back and are delivered again");
      const handedBack = left.map((event) => jetStream.request(event.ackSubject, HAND_BACK));
      await within(HAND_BACK_MS_MAX, Promise.allSettled(handedBack));
    }
  };
}
function insertInOrder(waiting, event) {
  let position = waiting.length;
  while (position > 0 && (waiting[position - 1]?.sequence ?? 0) > event.sequence) position--;
  waiting.splice(position, 0, event);
}
async function within(timeMs, work) {
  const timer = new AbortController();
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
  const { name, concurrency } = binding.subscription;
  const log = parentLog.child({ subscription: name });
  const limits = { ...deliveryLimits(concurrency), ...overrides };
  const delivery = createDelivery(jetStream, binding, log, limits);
  const position = { logCreatedAt: void 0, waitedForLog: false, floorSequence: void 0 };
  let state = "starting";
  let trouble;
  const consumer = consumerName(binding);
  const recover = () => delivery.recover(async () => {
    const { floorSequence, unacknowledged } = await consumerProgress(jetStream, consumer);
    position.floorSequence = floorSequence;
    return unacknowledged;
  });
  const deliverAll = async () => {
    if (signal.aborted) return;
    state = "running";
    trouble = void 0;
    recover();
    const options = { stream: EVENTS_STREAM, consumer, demandMax: limits.heldMax, signal };
    for await (const delivered of pull(jetStream, options)) await delivery.accept(delivered);
  };
  const tellTrouble = (error) => {
    trouble = error instanceof Error ? error.message : String(error);
    state = "failing";
    if (error instanceof ConsumerGoneError) log.warn({ reason: trouble }, "the consumer is gone; it is made again");
    else log.error({ err: error }, "the subscription cannot run; trying again");
  };
  const run = async () => {
    const backoff = createBackoff(START_BACKOFF);
    while (!signal.aborted) {
      try {
        if (await begin(jetStream, binding, { log, limits, delivery, position })) await deliverAll();
        else state = "waiting";
      } catch (error) {
        if (signal.aborted) return;
        tellTrouble(error);
        if (error instanceof RequestLostError) await jetStream.whenConnected(signal).catch(() => void 0);
      }
      await backoff.wait(signal).catch(() => void 0);
    }
  };
  const follow = async () => {
    const drained = aborted(signal).then(() => {
      state = "draining";
      return delivery.drain();
    });
    const stopListening = jetStream.onConnection((event) => {
      if (event.type !== "connected") return;
      delivery.showLife();
      if (state === "running") recover();
    });
    await run();
    await drained;
    stopListening();
    state = "stopped";
    log.info("stopped");
  };
  return {
    done: follow(),
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
  const eventsLog = await findEventsLog(jetStream);
  if (eventsLog === void 0) {
    if (!position.waitedForLog) log.info(`there is no stream ${EVENTS_STREAM} yet: waiting for a bridge to start`);
    position.waitedForLog = true;
    return false;
  }
  if (position.logCreatedAt !== void 0 && position.logCreatedAt !== eventsLog.createdAt) {
    log.warn(`the stream ${EVENTS_STREAM} is another one than before: it is read from its beginning`);
    delivery.forget();
    position.floorSequence = 0;
  }
  position.logCreatedAt = eventsLog.createdAt;
  for (const remark of await ensureDeadLetters(jetStream, eventsLog.replicas)) log.debug(remark);
  const known = Math.max(position.floorSequence ?? 0, delivery.floorSequence());
  const startAt = startOf(binding, position, Math.min(known, eventsLog.lastSequence));
  const { action, floorSequence } = await ensureConsumer(jetStream, binding, limits, startAt);
  position.floorSequence = floorSequence;
  const fields = { consumer: consumerName(binding), subjects: binding.subjects, afterSequence: floorSequence };
  log.info(fields, `consumer ${action}`);
  return true;
}
function startOf(binding, position, streamSequence) {
  if (position.floorSequence !== void 0) return { type: "after", streamSequence };
  return { type: position.waitedForLog || binding.subscription.start === "all" ? "all" : "new" };
}
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
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
