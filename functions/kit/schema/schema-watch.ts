/**
 * Tells while functions run which filters are mistaken, by the schemas that the bridges publish: at start, and each time that a schema
 * changes, once for each mistake that is new and for each that is healed. It refuses nothing: a definition may be newer tomorrow, and a
 * function must not depend on it for its start. It delays nothing either, and whatever fails in it is a line in the log.
 */
import { groupOf, type JetStream, type KindSchema, type Logger, parseKindSchema, versionPartOf } from "#contract";
import type { Selection } from "../filter/filter.ts";
import { checkSelection, schemasOf } from "./check.ts";
import { type KindPattern, readKindSchemas, schemaSubject } from "./schema-bucket.ts";

/** A subscription, as far as it is checked. */
export type CheckedSubscription = Selection & { readonly name: string };

/** The watch. */
export interface SchemaWatch {
  /** What is wrong with the filter of this subscription now, one sentence each. */
  mistakesOf(subscription: string): readonly string[];
}

/** What the watch needs. */
export interface SchemaWatchOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Starts to watch, until `signal` aborts. Never throws. */
export function watchSchemas(
  jetStream: JetStream,
  subscriptions: readonly CheckedSubscription[],
  { log, signal }: SchemaWatchOptions,
): SchemaWatch {
  const patterns = subscriptions.map(patternOf);
  const schemas = new Map<string, KindSchema>();
  /** What came while the bucket was read is newer than what was read. */
  let heard = new Set<string>();
  const told = new Map<string, readonly string[]>();
  const unchecked = new Set<string>();
  const check = () => {
    for (const subscription of subscriptions) {
      const { name, kind, apiVersion, when } = subscription;
      if (when === undefined) continue;
      const before = told.get(name) ?? [];
      const now = [...new Set(checkSelection(subscription, schemas.values()).map(({ message }) => message))];
      told.set(name, now);
      for (const mistake of now) if (!before.includes(mistake)) log.warn({ subscription: name }, mistake);
      const isKnown = schemasOf(subscription, schemas.values()).length > 0;
      const healed = isKnown ? before.filter((mistake) => !now.includes(mistake)) : [];
      for (const mistake of healed) log.info({ subscription: name }, `it is right now, and was: ${mistake}`);
      if (isKnown || unchecked.has(name)) continue;
      unchecked.add(name);
      log.info(
        { subscription: name },
        `no bridge has published a schema of ${kind} ${apiVersion}: its filter is not checked`,
      );
    }
  };
  const load = async () => {
    heard = new Set();
    try {
      const found = await readKindSchemas(jetStream, patterns);
      for (const subject of schemas.keys()) if (!found.has(subject) && !heard.has(subject)) schemas.delete(subject);
      for (const [subject, schema] of found) if (!heard.has(subject)) schemas.set(subject, schema);
      if (!signal.aborted) check();
    } catch (error) {
      if (!signal.aborted)
        log.info({ reason: (error as Error).message }, "the schemas cannot be read: filters are not checked");
    }
  };
  const stops = [...new Set(patterns.map(schemaSubject))].map((pattern) =>
    jetStream.subscribe(pattern, ({ subject, data }) => {
      const schema = parseKindSchema(data);
      heard.add(subject);
      if (schema === undefined) schemas.delete(subject);
      else schemas.set(subject, schema);
      check();
    }),
  );
  stops.push(jetStream.onConnection(({ type }) => void (type === "connected" && load())));
  const stop = () => {
    for (const each of stops) each();
  };
  signal.addEventListener("abort", stop, { once: true });
  void load();
  return { mistakesOf: (subscription) => told.get(subscription) ?? [] };
}

/** Whose schemas the subscription's filter is checked against. */
export function patternOf({ cluster, apiVersion, kind }: Selection): KindPattern {
  return { cluster, group: groupOf(apiVersion), version: versionPartOf(apiVersion), kind };
}
