/**
 * What the cases about reading work with: Databases in a namespace of their own, and an open watch whose events are asked for one
 * after the other. Nothing sleeps: an event that does not come fails the case after a deadline, and that none comes is shown by
 * the next one that does.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { readLines } from "../../../../bridge/kube/line.ts";
import { database, databasePath } from "../../../kit/database-crd.ts";
import type { KubeObject } from "../../../kit/kube-client.ts";
import {
  ANSWER_MS_MAX,
  type Answer,
  accepted,
  connectTo,
  namesOf,
  openGet,
  type Query,
  read,
  versionOf,
} from "./reading.ts";
import { conform, type Target } from "./target.ts";
import { uniqueName } from "./widget.ts";

/** One line of a watch. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** A watch that the server has accepted. It is closed with its test. */
interface Watching {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The next event. Rejects after 20 s, and when the server ends the watch instead. */
  next(): Promise<WatchEvent>;
  /** The next events, shortened by `brief`. */
  briefs(count: number): Promise<string[]>;
  /** What comes before the server ends the watch. Rejects when neither comes within 20 s. */
  rest(): Promise<WatchEvent[]>;
}

/** The Databases of one case. */
export interface Databases {
  readonly target: Target;
  readonly namespace: string;
  /** The path of the namespace's Databases, or of one of them. */
  path(name?: string): string;
  create(name: string, labels?: Readonly<Record<string, string>>): Promise<KubeObject>;
  /** A merge patch, of the subresource if there is one. */
  patch(name: string, mergePatch: object, subresource?: string): Promise<KubeObject>;
  remove(name: string): Promise<void>;
  /** The resourceVersion of the list now: a watch from there sees what comes after this call. */
  version(): Promise<string>;
  /** The answer to a list, whatever it is. */
  list(query?: Query, path?: string): Promise<Answer>;
  /** The names in a list that must succeed, in its order. */
  names(query?: Query): Promise<string[]>;
  watch(query?: Query, options?: WatchOptions): Promise<Watching>;
}

/** What a watch is about, if it is not the case's Databases as JSON. */
interface WatchOptions {
  readonly path?: string;
  readonly accept?: string;
}

/** One promise about reading. */
interface ReadingCase {
  readonly name: string;
  readonly run: (databases: Databases, t: TestContext) => Promise<void>;
}

/** Declares the cases for both servers; each gets Databases of its own. */
export function conformReading(title: string, cases: readonly ReadingCase[]): void {
  conform(title, (open) => {
    for (const { name, run } of cases) {
      test(name, async (t) => {
        const target = await open(t);
        if (target !== undefined) await run(await openDatabases(t, target), t);
      });
    }
  });
}

/** Makes a namespace for the Databases of one test. */
export async function openDatabases(t: TestContext, target: Target): Promise<Databases> {
  const { client } = target;
  const namespace = uniqueName("reading");
  await client.createNamespace(namespace);
  const path = (name?: string) => databasePath(namespace, name);
  const list: Databases["list"] = (query = {}, of = path()) => read(target, of, query);
  return {
    target,
    namespace,
    path,
    list,
    create: (name, labels = {}) => {
      const given = database(name, namespace);
      return client.create(path(), { ...given, metadata: { ...given.metadata, labels } });
    },
    patch: (name, mergePatch, subresource) =>
      client.patch(path(name), mergePatch, { ...(subresource !== undefined && { subresource }) }),
    remove: async (name) => {
      await client.delete(path(name));
    },
    version: async () => versionOf(accepted(await list({ limit: "1" }))),
    names: async (query) => namesOf(await list(query)),
    watch: (query, options) => openWatch(t, target, options?.path ?? path(), query, options?.accept),
  };
}

async function* flat(batches: AsyncIterable<readonly string[]>): AsyncGenerator<string, void, void> {
  for await (const batch of batches) yield* batch;
}

/** Opens a watch; the assertion fails when it is refused. */
export async function openWatch(
  t: TestContext,
  target: Target,
  path: string,
  query: Query = {},
  accept = "application/json",
): Promise<Watching> {
  const dispatcher = connectTo(target);
  t.after(() => dispatcher.destroy());
  const { statusCode, headers, body } = await openGet(dispatcher, target, path, { watch: "true", ...query }, accept);
  assert.equal(statusCode, 200, statusCode === 200 ? "" : await body.text());
  body.on("error", () => undefined); // the end of the test cuts it
  const lines = flat(readLines(body));
  const told: WatchEvent[] = [];
  const nextOrEnd = async (): Promise<WatchEvent | undefined> => {
    const sofar = told.map(brief).join(", ") || "nothing";
    const late = new Error(`the watch of ${path} is silent for ${ANSWER_MS_MAX / 1000} s; it told ${sofar}`);
    const timer = setTimeout(() => body.destroy(late), ANSWER_MS_MAX);
    const { value, done } = await lines.next().finally(() => clearTimeout(timer));
    if (done) return undefined;
    const event = JSON.parse(value) as WatchEvent;
    told.push(event);
    return event;
  };
  const next = async () => {
    const event = await nextOrEnd();
    assert.ok(event, `the server ended the watch of ${path} after ${told.map(brief).join(", ") || "nothing"}`);
    return event;
  };
  return {
    headers,
    next,
    briefs: async (count) => {
      const events: string[] = [];
      while (events.length < count) events.push(brief(await next()));
      return events;
    },
    rest: async () => {
      const events: WatchEvent[] = [];
      for (let event = await nextOrEnd(); event !== undefined; event = await nextOrEnd()) events.push(event);
      return events;
    },
  };
}

/** `ADDED one`; `BOOKMARK`; `BOOKMARK initial-events-end`; `ERROR 410 Expired`. */
export function brief({ type, object }: WatchEvent): string {
  switch (type) {
    case "BOOKMARK":
      return isInitialEnd(object) ? "BOOKMARK initial-events-end" : "BOOKMARK";
    case "ERROR":
      return `ERROR ${object["code"]} ${object["reason"]}`;
    default:
      return `${type} ${object.metadata.name}`;
  }
}

function isInitialEnd({ metadata }: KubeObject): boolean {
  return metadata.annotations?.["k8s.io/initial-events-end"] === "true";
}
