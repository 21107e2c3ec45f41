/**
 * The streams and buckets that functions keep beside the log, as data; `ensureStream` makes them. The bridge knows their names, because its
 * NATS permissions and its cleaning up respect them.
 * Source: DESIGN "NATS"; ADR-8 for key-value buckets; nats-server 2.12 for scheduled messages and per-message time to live.
 */
import { DUPLICATE_WINDOW_NS, keyValueStream, type StreamDefinition, type StreamSettings } from "./stream.ts";

/** Events that a function gave up on, with the reason. */
export const DEAD_LETTERS_STREAM = "CR_DEAD_LETTERS";
/** Orders to try dead letters again, until they are carried out. */
export const RETRIES_STREAM = "CR_RETRIES";
/** What is due later, as scheduled messages, and what is due. */
export const TIMERS_STREAM = "CR_TIMERS";
/** The key-value bucket of what steps of functions gave. */
export const STEPS_BUCKET = "CR_STEPS";
/** The key-value bucket of who runs which part of a subscription, and which events it asks for. */
export const SUBSCRIPTIONS_BUCKET = "CR_SUBSCRIPTIONS";
/** The key-value bucket of the incidents of objects, for functions. */
export const INCIDENTS_BUCKET = "CR_INCIDENTS";
/** The key-value bucket of silences: which events call no function for a while. */
export const SILENCES_BUCKET = "CR_SILENCES";
/** What the subjects of dead letters begin with: `crdead.<subscription>.<subject of the event>`. */
export const DEAD_LETTERS_ROOT = "crdead";
/** What the subjects of retries begin with: `crretry.<subscription>.<dead letter>.<subject of the event>`. */
export const RETRIES_ROOT = "crretry";
/** What the subjects of timers begin with: `crtimer.wait.<subscription>.…` and, when they are due, `crtimer.due.<subscription>.…`. */
export const TIMERS_ROOT = "crtimer";

const DAY_NS = 86_400 * 1e9;
/** Dead letters wait for a person: a month, and little room. Their steps are kept as long. */
const DEAD_LETTERS_AGE_NS = 30 * DAY_NS;
const DEAD_LETTERS_BYTES_MAX = 256 * 1024 ** 2;
/** An order has no payload: fifty thousand of them, more than there is room for dead letters of a usual size. */
const RETRIES_BYTES_MAX = 16 * 1024 ** 2;
/** A quarter of a million objects of a usual size. */
const INCIDENTS_BYTES_MAX = 256 * 1024 ** 2;
/** A thousand silences with the largest filters. */
const SILENCES_BYTES_MAX = 16 * 1024 ** 2;
/** 1.6 million steps with short results, which take the server 0.65 GB of memory (measured: 325 bytes a step, and 400 for its key). */
const STEPS_BYTES_MAX = 512 * 1024 ** 2;

/** CR_DEAD_LETTERS. */
export function deadLettersStream(settings: StreamSettings): StreamDefinition {
  return {
    config: {
      name: DEAD_LETTERS_STREAM,
      description: "cr-reactor: events a function gave up on, with the reason",
      subjects: [`${DEAD_LETTERS_ROOT}.>`],
      storage: "file",
      retention: "limits",
      discard: "old",
      compression: "s2",
      num_replicas: settings.replicas,
      max_age: DEAD_LETTERS_AGE_NS,
      max_bytes: DEAD_LETTERS_BYTES_MAX,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_direct: true,
    },
    guarded: ["subjects", "retention"],
  };
}

/** CR_RETRIES: each order is for one subscription, which removes it when it is carried out. */
export function retriesStream(settings: StreamSettings): StreamDefinition {
  return {
    config: {
      name: RETRIES_STREAM,
      description: "cr-reactor: dead letters that are to be tried again",
      subjects: [`${RETRIES_ROOT}.>`],
      storage: "file",
      retention: "limits",
      discard: "new",
      num_replicas: settings.replicas,
      max_age: DEAD_LETTERS_AGE_NS,
      max_bytes: RETRIES_BYTES_MAX,
      max_msgs_per_subject: 1,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_direct: true,
    },
    guarded: ["subjects", "retention"],
  };
}

/**
 * CR_TIMERS. No limit of size, because the server takes schedules only in a stream that drops its oldest when it is full, and no age, because
 * what waits may wait for a month; what is due has a time to live of its own (`Nats-Schedule-TTL`).
 */
export function timersStream(settings: Pick<StreamSettings, "replicas">): StreamDefinition {
  return {
    config: {
      name: TIMERS_STREAM,
      description: "cr-reactor: what is due later, as scheduled messages, and what is due",
      subjects: [`${TIMERS_ROOT}.>`],
      storage: "file",
      retention: "limits",
      discard: "old",
      compression: "s2",
      num_replicas: settings.replicas,
      max_age: 0,
      max_msgs: -1,
      max_bytes: -1,
      max_msgs_per_subject: 1,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_msg_ttl: true,
      allow_msg_schedules: true,
      allow_rollup_hdrs: true,
      allow_direct: true,
    },
    guarded: [
      "subjects",
      "retention",
      "max_age",
      "max_msgs",
      "max_bytes",
      "max_msgs_per_subject",
      "allow_msg_ttl",
      "allow_msg_schedules",
    ],
  };
}

/**
 * The steps' key-value bucket, as ADR-8 lays it out. A full one forgets its oldest results, which matter only when an old dead letter is
 * tried again; refusing new ones would stop every function that has steps.
 */
export function stepsStream(settings: StreamSettings): StreamDefinition {
  return keyValueStream(STEPS_BUCKET, settings, {
    description: "cr-reactor: what steps of functions gave, so that they are not run again",
    config: {
      discard: "old",
      compression: "s2",
      max_age: DEAD_LETTERS_AGE_NS,
      max_bytes: STEPS_BYTES_MAX,
      duplicate_window: DUPLICATE_WINDOW_NS,
    },
    guarded: ["subjects", "retention", "max_msgs_per_subject"],
  });
}

/**
 * The subscriptions' key-value bucket, as ADR-8 lays it out. Signs of life have a time to live of their own, so that processes that are
 * gone leave nothing behind.
 */
export function subscriptionsStream(settings: StreamSettings): StreamDefinition {
  return keyValueStream(SUBSCRIPTIONS_BUCKET, settings, {
    description: "cr-reactor: which process runs which part of a subscription, and since when with which filter",
    config: {
      discard: "new",
      allow_msg_ttl: true,
    },
    guarded: ["subjects", "max_age", "max_msgs_per_subject", "allow_msg_ttl"],
  });
}

/**
 * The incidents' key-value bucket, as ADR-8 lays it out. No age limit, because an incident may be open for years; what is resolved gets a time
 * to live of its own (`Nats-TTL`). A full one forgets the oldest, which is found again from the log; refusing new ones would stop functions.
 */
export function incidentsStream(settings: Pick<StreamSettings, "replicas">): StreamDefinition {
  return keyValueStream(INCIDENTS_BUCKET, settings, {
    description: "cr-reactor: which objects are in trouble, by subscription, and what actions remember about it",
    config: {
      discard: "old",
      compression: "s2",
      max_bytes: INCIDENTS_BYTES_MAX,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_msg_ttl: true,
    },
    guarded: ["subjects", "retention", "max_age", "max_msgs_per_subject", "allow_msg_ttl"],
  });
}

/** The silences' key-value bucket, as ADR-8 lays it out. Each has a time to live of its own, some days longer than the silence. */
export function silencesStream(settings: Pick<StreamSettings, "replicas">): StreamDefinition {
  return keyValueStream(SILENCES_BUCKET, settings, {
    description: "cr-reactor: which events call no function for a while, who said so, and why",
    config: {
      discard: "new",
      max_bytes: SILENCES_BYTES_MAX,
      duplicate_window: DUPLICATE_WINDOW_NS,
      allow_msg_ttl: true,
    },
    guarded: ["subjects", "max_age", "max_msgs_per_subject", "allow_msg_ttl"],
  });
}
