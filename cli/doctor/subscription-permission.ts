/**
 * What a NATS user needs that runs certain subscriptions and no other ones: the requirement of functions with its patterns narrowed to their
 * consumers, leases, steps and dead letters. It limits what a function can change, not what it can read: the log is one stream.
 */
import {
  DEAD_LETTERS_ROOT,
  EVENTS_STREAM,
  encodeToken,
  INCIDENTS_BUCKET,
  STEPS_BUCKET,
  SUBSCRIPTIONS_BUCKET,
  TIMERS_ROOT,
} from "#contract";
import { consumerName, type Subscription } from "#kit";
import type { NatsRequirement } from "../../bridge/nats/nats-requirement.ts";
import { FUNCTIONS_REQUIREMENT } from "./permission.ts";

type Narrowed = Pick<Subscription, "name" | "partitions">;

/** What stands for each pattern; patterns that are not here stay as they are. */
const NARROWER: Readonly<Record<string, (subscription: Narrowed) => readonly string[]>> = {
  [`${DEAD_LETTERS_ROOT}.>`]: ({ name }) => [`${DEAD_LETTERS_ROOT}.${encodeToken(name)}.>`],
  [`${TIMERS_ROOT}.>`]: ({ name }) => [`${TIMERS_ROOT}.*.${encodeToken(name)}.>`],
  [`$KV.${STEPS_BUCKET}.>`]: ({ name }) => [`$KV.${STEPS_BUCKET}.${encodeToken(name)}.>`],
  [`$KV.${INCIDENTS_BUCKET}.>`]: ({ name }) => [`$KV.${INCIDENTS_BUCKET}.${encodeToken(name)}.>`],
  [`$KV.${SUBSCRIPTIONS_BUCKET}.>`]: ({ name }) =>
    [`subscription.${name}`, `lease.${name}.*`, `timers.${name}.*`, "process.*"].map(
      (key) => `$KV.${SUBSCRIPTIONS_BUCKET}.${key}`,
    ),
  ...Object.fromEntries(
    ["INFO", "CREATE", "MSG.NEXT", "DELETE"].map((call) => {
      const api = `$JS.API.CONSUMER.${call}.${EVENTS_STREAM}`;
      return [`${api}.*`, (each: Narrowed) => consumersOf(each).map((consumer) => `${api}.${consumer}`)];
    }),
  ),
  // The same name in each stream. Newer servers may put domain and account before the stream (ADR-15).
  "$JS.ACK.>": (each) =>
    consumersOf(each).flatMap((consumer) => [`$JS.ACK.*.${consumer}.>`, `$JS.ACK.*.*.*.${consumer}.>`]),
};

/** What a user needs that runs these subscriptions. Other partitions, and another name, need the list anew. */
export function subscriptionRequirement(subscriptions: readonly Narrowed[]): NatsRequirement {
  const publish = FUNCTIONS_REQUIREMENT.publish.flatMap((pattern) => {
    const narrow = NARROWER[pattern];
    return narrow === undefined ? [pattern] : subscriptions.flatMap(narrow);
  });
  return { publish: [...new Set(publish)], subscribe: FUNCTIONS_REQUIREMENT.subscribe };
}

function consumersOf({ name, partitions: count }: Narrowed): readonly string[] {
  return Array.from({ length: count }, (_, index) => consumerName(name, { index, count }));
}
