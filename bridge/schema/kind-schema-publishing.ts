/**
 * Publishes the schema of each kind that is watched into the bucket CR_SCHEMAS, so that functions can check their filters: at start, and
 * when the API server's document is another one; written only when it differs from what is there. Nothing here can hold up capture:
 * whatever fails is a line in the log, and is tried again at the next look of the catalog. What is watched no more stays as it was last.
 */
import type { WantedWatch } from "../capture/selection.ts";
import type { BridgeConfig } from "../config.ts";
import { presetPhase } from "../event/phase-preset.ts";
import type { Catalog } from "../kube/catalog.ts";
import { groupOf, versionPartOf } from "../kube/kube-object.ts";
import type { OpenApiDocument } from "../kube/list-shape.ts";
import type { Logger } from "../logger.ts";
import type { JetStream } from "../nats/jetstream.ts";
import { RequestLostError, unlessMissing } from "../nats/jetstream-error.ts";
import { ensureStream, SCHEMAS_BUCKET, schemasStream } from "../nats/stream.ts";
import { type KindSchema, kindSchemaKey } from "./kind-schema.ts";
import { fitInto, reduceFromDocument } from "./kind-schema-reduction.ts";

/** What a publisher works with. */
export interface SchemaPublishingOptions {
  readonly config: Pick<BridgeConfig, "cluster" | "streams">;
  readonly jetStream: JetStream;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Publishes. */
export interface SchemaPublishing {
  /** Tells what is watched now; returns at once, and never throws. What comes while it is at work is left to the next look. */
  follow(catalog: Catalog, watches: readonly WantedWatch[]): void;
}

/** A kind, whatever namespaces are watched. */
interface WatchedKind extends Pick<KindSchema, "apiVersion" | "kind" | "plural" | "namespaced" | "phases"> {}

/** Looks are ten seconds apart: about ten minutes. */
const LOOKS_PASSED_MAX = 63;
/** For the headers and the subject, whose length is that of the names. */
const MESSAGE_FRAME_BYTES = 4 * 1024;

/** Makes a publisher; it stops when `signal` aborts. */
export function createSchemaPublishing(options: SchemaPublishingOptions): SchemaPublishing {
  const { jetStream, logger, signal } = options;
  /** By key: what was published from, so that what is as before costs nothing. */
  const done = new Map<string, string>();
  const told = new Set<string>();
  let hasBucket = false;
  let isBusy = false;
  /** After a failure so many looks are passed over, and each time twice as many: a user without the permission must not ask for ever. */
  let pause = 0;
  let hasFailed = false;
  let looksToPass = 0;
  // Another server, or the same one restored: what it has is asked for again.
  const stopListening = jetStream.onConnection(({ type }) => {
    if (type !== "connected") return;
    done.clear();
    hasBucket = false;
    looksToPass = 0;
  });
  signal.addEventListener("abort", stopListening, { once: true });
  const tellOnce = (level: "info" | "warn", sentence: string) => {
    if (told.has(sentence)) return;
    told.add(sentence);
    logger[level](sentence);
  };
  const publishOne = async (kind: WatchedKind, document: OpenApiDocument): Promise<void> => {
    const title = `${kind.kind} of ${kind.apiVersion}`;
    const published = await publishSchema(options, kind, document);
    if (published === undefined) return tellOnce("info", `${title} has no schema: filters on it are not checked`);
    const { pruned, isNew } = published;
    if (isNew) logger.info({ pruned }, `the schema of ${title} is published`);
    if (pruned === "levels")
      tellOnce("warn", `the schema of ${title} is too large for a message: its deepest fields are not checked`);
  };
  /** What is wrong with one kind, or one group, is no reason to leave out the others. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof RequestLostError) throw error;
      signal.throwIfAborted();
      hasFailed = true;
      tellOnce("warn", `a schema is not published, trying again; capture goes on: ${(error as Error).message}`);
    }
  };
  const publishGroup = async (catalog: Catalog, apiVersion: string, kinds: readonly WatchedKind[]): Promise<void> => {
    const source = catalog.document(apiVersion);
    const stateOf = ({ phases }: WatchedKind) => JSON.stringify([source?.revision, phases]);
    const changed = kinds.filter((kind) => done.get(`${apiVersion}/${kind.kind}`) !== stateOf(kind));
    if (changed.length === 0) return;
    if (source === undefined)
      return tellOnce("info", `${apiVersion} has no OpenAPI document: filters on its kinds are not checked`);
    const document = await source.read(signal);
    for (const kind of changed) {
      await attempt(async () => {
        await publishOne(kind, document);
        done.set(`${apiVersion}/${kind.kind}`, stateOf(kind));
      });
    }
  };
  const publishAll = async (catalog: Catalog, watches: readonly WantedWatch[]) => {
    if (!hasBucket) {
      const remarks = await ensureStream(jetStream, schemasStream(options.config.streams));
      for (const remark of remarks) tellOnce("warn", remark);
      hasBucket = true;
    }
    for (const [apiVersion, kinds] of Map.groupBy(kindsOf(watches), (kind) => kind.apiVersion))
      await attempt(() => publishGroup(catalog, apiVersion, kinds));
  };
  return {
    follow(catalog, watches) {
      if (isBusy || signal.aborted || looksToPass-- > 0) return;
      looksToPass = 0;
      isBusy = true;
      hasFailed = false;
      publishAll(catalog, watches)
        .catch((error: unknown) => {
          hasBucket = false;
          hasFailed = true;
          if (!signal.aborted)
            tellOnce("warn", `schemas are not published, trying again; capture goes on: ${(error as Error).message}`);
        })
        .finally(() => {
          pause = hasFailed ? Math.min(2 * pause + 1, LOOKS_PASSED_MAX) : 0;
          looksToPass = pause;
          isBusy = false;
        });
    },
  };
}

/** Writes the kind's schema if it is another one than what is there; `undefined`: the document has no such kind. */
async function publishSchema(
  { config, jetStream }: SchemaPublishingOptions,
  kind: WatchedKind,
  document: OpenApiDocument,
): Promise<{ readonly pruned: KindSchema["pruned"]; readonly isNew: boolean } | undefined> {
  const name = { group: groupOf(kind.apiVersion), version: versionPartOf(kind.apiVersion), kind: kind.kind };
  const schema = reduceFromDocument(document, name);
  if (schema === undefined) return undefined;
  const value: KindSchema = { version: 1, cluster: config.cluster, ...kind, schema };
  const { text, pruned } = fitInto(value, jetStream.payloadBytesMax - MESSAGE_FRAME_BYTES);
  const subject = `$KV.${SCHEMAS_BUCKET}.${kindSchemaKey({ cluster: config.cluster, ...name })}`;
  const asked = jetStream.api<{ message: { data?: string } }>(`STREAM.MSG.GET.KV_${SCHEMAS_BUCKET}`, {
    last_by_subj: subject,
  });
  const stored = await unlessMissing("message", asked);
  if (stored !== undefined && Buffer.from(stored.message.data ?? "", "base64").toString("utf8") === text)
    return { pruned, isNew: false };
  await jetStream.publish(subject, text, {});
  return { pruned, isNew: true };
}

/** Each kind once, with the phases of all its watches. */
function kindsOf(watches: readonly WantedWatch[]): readonly WatchedKind[] {
  const byKind = Map.groupBy(watches, ({ resource }) => `${resource.apiVersion}/${resource.kind}`);
  return [...byKind.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { apiVersion, kind, plural, namespaced } = first.resource;
    const phases = group.map(({ entry }) => entry.phase ?? presetPhase(groupOf(apiVersion), kind));
    return [{ apiVersion, kind, plural, namespaced, phases: [...new Set(phases)].toSorted() }];
  });
}
