/** The observer on an embedded API server of the test's own: a hand on its Databases, and everything that the observer tells and asks. */
import type { TestContext } from "node:test";
import { type Envelope, opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import { type ObserveOptions, type ObserverState, observe, observedResource } from "../../bridge/observe.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { type EmbeddedStage, openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";

/** What discovery says of the kind. */
export const databases = {
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  plural: "databases",
  namespaced: true,
};
/** What nobody has said otherwise. */
export const settings = { context: "embedded", phase: "status.phase" };

/** Starts the server, stopped after the test, and gives a hand that changes Databases in `prod`. */
export async function openScene(t: TestContext) {
  const stage = await openEmbedded(t);
  const { server, client } = stage;
  await client.createNamespace("prod");
  const one = (name: string) => databasePath("prod", name);
  return {
    server,
    client,
    outage: stage.outage,
    restart: stage.restart,
    observe: (options?: Partial<ObserveOptions>) => startObserving(t, stage, options),
    async create(name: string, phase?: string) {
      const created = await client.create(databasePath("prod"), database(name, "prod"));
      return phase === undefined
        ? created
        : await client.patch(one(name), { status: { phase } }, { subresource: "status" });
    },
    phase: (name: string, phase: string) =>
      client.patch(one(name), { status: { phase } }, { subresource: "status", fieldManager: "operator" }),
    remove: (name: string) => client.delete(one(name)),
    /** A change of managedFields and resourceVersion alone: somebody else wants what is there. */
    bookkeeping: (name: string) =>
      client.apply(one(name), { ...database(name, "prod"), metadata: { name } }, "somebody-else"),
  };
}

/** What a test works with. */
export type Scene = Awaited<ReturnType<typeof openScene>>;

/** Starts an observer that ends with its test. */
async function startObserving(t: TestContext, stage: EmbeddedStage, options: Partial<ObserveOptions> = {}) {
  const { apiServer, requests } = await stage.connect();
  const stop = new AbortController();
  const states: ObserverState[] = [];
  const changes: Envelope[] = [];
  const backoff = { firstMs: 1, maxMs: 1, resetAfterMs: 1 };
  const onState = (state: ObserverState) => states.push(state);
  const resource = observedResource(databases, settings);
  const watch = async () => {
    for await (const envelope of observe({ apiServer, resource, signal: stop.signal, backoff, onState, ...options }))
      changes.push(parseEnvelope(JSON.stringify(envelope)));
  };
  const ended = watch();
  t.after(async () => {
    stop.abort();
    await ended.catch(() => undefined);
  });
  const told = () => changes.map(short);
  const problems = () => states.flatMap((state) => (state.type === "waiting" ? [state.problem] : []));
  return {
    changes,
    /** `updated a replace /status/phase Running → Failed`. */
    told,
    states,
    problems,
    /** `GET <path>`; of a list and a watch `LIST` and `WATCH`. */
    asked: () => requests.map(({ method, path, query }) => `${verbOf(method, query)} ${path}`),
    /** Rejects when the observer gives up. */
    ended,
    /** Waits until it goes on behind so many whole lists. */
    listed: (count: number) => until(() => listsOf(states).length >= count, { what: `list ${count} to be whole` }),
    tells: (change: string) => until(() => told().includes(change), { what: `the observer to tell "${change}"` }),
    waits: (problem: RegExp) => until(() => problems().some((each) => problem.test(each)), { what: String(problem) }),
  };
}
/** An observer at work. */
export type Observing = Awaited<ReturnType<typeof startObserving>>;

function verbOf(method: string, query: Readonly<Record<string, string>>): string {
  if ("sendInitialEvents" in query) return "LIST";
  return "watch" in query ? "WATCH" : method;
}

/** The states that follow upon a whole list. */
export function listsOf(states: readonly ObserverState[]) {
  const passing = states.flatMap((state) => (state.type === "waiting" ? [] : [state]));
  return passing.filter(({ type }, index) => type === "watching" && passing[index - 1]?.type === "listing");
}

function short(envelope: Envelope): string {
  const { patch, gap, transitions } = envelope.data;
  const paths = patch?.map(({ op, path }) => `${op} ${path}`) ?? [];
  const { phase } = transitions;
  return [opOf(envelope), envelope.name, gap && "gap", ...paths, phase && `${phase.from} → ${phase.to}`]
    .filter(Boolean)
    .join(" ");
}
