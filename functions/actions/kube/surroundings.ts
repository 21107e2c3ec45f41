/**
 * What is around an object while somebody is told of it: its newest warning Events, and what it owns, in the columns of `kubectl get`. An
 * extra: it takes at most three seconds and never fails what it is for. What the API server refuses is told once in the log, with
 * the RBAC rule that is missing, and the message goes without.
 * Source: Kubernetes API reference, core/v1 Event; "Receiving resources as Tables".
 */
import { z } from "zod";
import type { FunctionContext, KubeRight, ToldKind } from "#kit";
import { cutText } from "../cut-text.ts";
import { createKubeClients, type KubeClient, KubeSettings } from "./kube-client.ts";

/** For settings; left out: the API server is not asked, and nothing of its client is loaded. */
export const SurroundingsSettings = KubeSettings.unwrap()
  .extend({
    /** The newest warning Events, so many; they need `list` of `events`. Default 3. */
    warnings: z.int().min(0).max(10).default(3),
    /** Kinds whose objects, in the object's namespace, are shown if it owns them; each needs `list`. */
    owned: z
      .array(
        z.strictObject({
          apiVersion: z
            .string()
            .regex(/^(?:[a-z0-9.-]+\/)?v[a-z0-9]+$/, "expected a group and version, such as apps/v1 or v1"),
          kind: z.string().regex(/^[A-Z][A-Za-z0-9]*$/, "expected a kind, such as Pod"),
        }),
      )
      .max(5)
      .default([]),
  })
  .optional();
export type SurroundingsSettings = z.output<typeof SurroundingsSettings>;

/** A warning Event. `at` is RFC 3339: when it was last seen. */
export interface WarningEvent {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly at: string;
}

/** An object that is owned, and what `kubectl get` says of it: `Ready 0/1, Status CrashLoopBackOff`. */
export interface OwnedObject {
  readonly kind: string;
  readonly name: string;
  readonly state: string;
}

/** What was found. */
export interface Surroundings {
  /** Newest first. */
  readonly warnings: readonly WarningEvent[];
  readonly owned: readonly OwnedObject[];
  /** How many more are owned than are listed. */
  readonly ownedMore: number;
  /** Kinds of which there are too many in the namespace to look at all. */
  readonly incomplete: readonly string[];
}

/** Looks around the event's object; `undefined` when that is not asked for, or no more wanted because the incident is over. */
export type LookAround = (
  settings: SurroundingsSettings,
  context: Pick<FunctionContext<unknown>, "event" | "subscription" | "signal" | "incident" | "log">,
) => Promise<Surroundings | undefined>;

/** The first request loads the client and opens the connection, which takes a second at most. */
const TIME_MS_MAX = 3_000;
/** client-go records about forty of an object within the hour that they are kept; a continuation would not be newer. */
const EVENTS_MAX = 500;
/** Rows have no spec and no status, so a page of them is a megabyte or two. */
const ROWS_MAX = 500;
const OWNED_SHOWN = 10;
const COLUMNS_SHOWN = 3;
/** Where Events of objects without a namespace go. */
const CLUSTER_NAMESPACE = "default";
/** Room for what is shown of one thing; it comes from controllers. */
const REASON_CHARS_MAX = 80;
const MESSAGE_CHARS_MAX = 300;
const STATE_CHARS_MAX = 80;
/** Different complaints that are remembered, so that each is told once. */
const TOLD_MAX = 100;

const Time = z.iso.datetime({ offset: true });
const Event = z.object({
  metadata: z.object({ creationTimestamp: Time.nullish() }),
  reason: z.string().catch(""),
  message: z.string().catch(""),
  count: z.int().nullish(),
  lastTimestamp: Time.nullish(),
  eventTime: Time.nullish(),
  series: z.object({ count: z.int().nullish(), lastObservedTime: Time.nullish() }).nullish(),
});
const EventList = z.object({ items: z.array(Event) });

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const Table = z.object({
  metadata: z.object({ continue: z.string().optional() }).optional(),
  columnDefinitions: z.array(z.object({ name: z.string(), priority: z.int().catch(0) })),
  rows: z
    .array(
      z.object({
        cells: z.array(z.unknown()),
        object: z.object({
          metadata: z.object({
            name: z.string(),
            ownerReferences: z.array(z.object({ uid: z.string() })).nullish(),
          }),
        }),
      }),
    )
    .nullable()
    .transform((rows) => rows ?? []),
});
type Table = z.output<typeof Table>;

/** What looking around takes; of objects without a namespace, what they own may be in any. */
export function surroundingRights(settings: SurroundingsSettings, { isNamespaced }: ToldKind): readonly KubeRight[] {
  if (settings === undefined) return [];
  const { warnings, owned, ...kubernetes } = settings;
  const right = (kind: Pick<KubeRight, "apiVersion" | "kind">, elsewhere: string): KubeRight => {
    return { ...kind, verbs: ["list"], ...(!isNamespaced && { namespace: elsewhere }), kubernetes };
  };
  const events = warnings > 0 ? [right({ apiVersion: "v1", kind: "Event" }, CLUSTER_NAMESPACE)] : [];
  return [...events, ...owned.map((kind) => right(kind, "*"))];
}

/** Starts without a connection. */
export function createLookAround(): LookAround {
  const clients = createKubeClients();
  const told = new Set<string>();
  return async (settings, { event, subscription, signal: stop, incident, log }) => {
    if (settings === undefined || incident?.type === "resolved") return undefined;
    const { warnings: count, owned: kinds, ...kubernetes } = settings;
    const signal = AbortSignal.any([stop, AbortSignal.timeout(TIME_MS_MAX)]);
    const place = { namespace: event.namespace, uid: event.data.object.metadata.uid };
    const orNothing = async <T>(look: (client: KubeClient) => Promise<T>): Promise<T | undefined> => {
      try {
        return await orAborted(
          (async () => await look(clients(kubernetes, { event, subscription, signal })))(),
          signal,
        );
      } catch (error) {
        const why = signal.aborted ? `the API server did not answer within ${TIME_MS_MAX} ms` : sentenceOf(error);
        if (stop.aborted || told.has(why)) return undefined;
        if (told.size < TOLD_MAX) told.add(why);
        log.warn({ event: event.id }, `told without what is around the object: ${why}`);
        return undefined;
      }
    };
    const [warnings = [], ...lists] = await Promise.all([
      count === 0 ? [] : orNothing((client) => newestWarnings(client, place, count)),
      ...kinds.map((kind) => orNothing((client) => ownedOf(client, place, kind))),
    ]);
    const owned = lists.flatMap((list) => list?.objects ?? []);
    return {
      warnings,
      owned: owned.slice(0, OWNED_SHOWN),
      ownedMore: Math.max(0, owned.length - OWNED_SHOWN),
      incomplete: kinds.filter((_, index) => lists[index]?.isWhole === false).map(({ kind }) => kind),
    };
  };
}

interface Place {
  readonly namespace: string | undefined;
  readonly uid: string;
}

async function newestWarnings(client: KubeClient, { namespace, uid }: Place, count: number): Promise<WarningEvent[]> {
  const collection = { apiVersion: "v1", plural: "events", namespace: namespace ?? CLUSTER_NAMESPACE };
  const query = { fieldSelector: `involvedObject.uid=${uid},type=Warning`, limit: String(EVENTS_MAX) };
  const { items } = EventList.parse(await client.list(collection, query));
  return items
    .flatMap(({ metadata, reason, message, series, ...event }) => {
      const at = series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? metadata.creationTimestamp;
      if (!at) return [];
      const seen = Math.max(1, series?.count ?? event.count ?? 1);
      return [{ reason: short(reason, REASON_CHARS_MAX), message: short(message, MESSAGE_CHARS_MAX), count: seen, at }];
    })
    .toSorted((one, other) => Date.parse(other.at) - Date.parse(one.at))
    .slice(0, count);
}

async function ownedOf(
  client: KubeClient,
  { namespace, uid }: Place,
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
): Promise<{ readonly objects: OwnedObject[]; readonly isWhole: boolean }> {
  const { plural } = await client.kind(apiVersion, kind);
  const query = { limit: String(ROWS_MAX) };
  const { metadata, columnDefinitions, rows } = Table.parse(
    await client.list({ apiVersion, plural, namespace }, query, TABLE),
  );
  const owned = rows.filter(({ object }) => object.metadata.ownerReferences?.some((owner) => owner.uid === uid));
  const objects = owned.map(({ cells, object }) => ({
    kind,
    name: object.metadata.name,
    state: stateOf(columnDefinitions, cells),
  }));
  return { objects, isWhole: !metadata?.continue };
}

/** The first columns that `kubectl get` shows, without the name and the age. */
function stateOf(columns: Table["columnDefinitions"], cells: readonly unknown[]): string {
  const shown = columns.flatMap(({ name, priority }, index) => {
    const cell = cells[index];
    const isText = typeof cell === "string" || typeof cell === "number" || typeof cell === "boolean";
    if (priority > 0 || /^(?:name|age|created at)$/i.test(name) || !isText || cell === "") return [];
    return [`${name} ${cell}`];
  });
  return short(shown.slice(0, COLUMNS_SHOWN).join(", "), STATE_CHARS_MAX);
}

/** One line. */
function short(text: string, charsMax: number): string {
  return cutText(
    text
      .slice(0, charsMax * 4)
      .replace(/\s+/g, " ")
      .trim(),
    charsMax,
  );
}

/** Loading the client cannot be called off, and is not waited for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof z.ZodError) return "the API server's answer is no list of Kubernetes: is a proxy on the way?";
  return error instanceof Error ? error.message : String(error);
}
