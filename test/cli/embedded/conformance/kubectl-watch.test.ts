/**
 * Where kubectl waits for the server, the same on both: watches, `wait`, a deletion that takes its time, and a kind that appears and
 * goes. Each case acts once kubectl has said that it watches.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { database, databasePath } from "../../../kit/database-crd.ts";
import { until } from "../../../kit/until.ts";
import { linesOf, openTerminal, type Running, type Terminal } from "./kubectl.ts";
import { conform, type Open } from "./target.ts";
import { workerCrd } from "./worker-crd.ts";

/** One thing that is done to the server while kubectl watches. */
type Act = (terminal: Terminal) => Promise<unknown>;

interface WaitCase {
  readonly name: string;
  /** Of the Database `main`, which is there before the command. */
  readonly finalizers?: readonly string[];
  /** The words after `kubectl`. */
  readonly command: string;
  readonly meanwhile: Act;
  readonly expected: readonly string[];
}

interface WatchCase {
  readonly name: string;
  readonly command: string;
  /** What the command prints at first, about the Database `main`. */
  readonly initially: readonly string[];
  /** Each act is done when the line of the one before has been printed. */
  readonly steps: readonly { readonly act: Act; readonly shows?: string }[];
}

const patchMain =
  (patch: object, subresource?: string): Act =>
  ({ target, namespace }) =>
    target.client.patch(databasePath(namespace, "main"), patch, subresource === undefined ? {} : { subresource });

const setStatus = (status: object): Act => patchMain({ status }, "status");

const labelMain = (team: string): Act => patchMain({ metadata: { labels: { team } } });

const deleteMain: Act = ({ target, namespace }) => target.client.delete(databasePath(namespace, "main"));

const create =
  (name: string): Act =>
  ({ target, namespace }) =>
    target.client.create(databasePath(namespace), database(name, namespace));

const waits: WaitCase[] = [
  {
    name: "wait sees a field take its value",
    command: "wait database/main --for=jsonpath={.status.phase}=Running --timeout=20s",
    meanwhile: setStatus({ phase: "Running" }),
    expected: ["database.demo.example.com/main condition met"],
  },
  {
    name: "wait sees a condition become true",
    command: "wait database/main --for=condition=Ready --timeout=20s",
    meanwhile: setStatus({ conditions: [{ type: "Ready", status: "True" }] }),
    expected: ["database.demo.example.com/main condition met"],
  },
  {
    name: "wait sees an object go",
    command: "wait database/main --for=delete --timeout=20s",
    meanwhile: deleteMain,
    expected: ["database.demo.example.com/main condition met"],
  },
  {
    name: "delete ends when the last finalizer is gone",
    finalizers: ["demo.example.com/backup"],
    command: "delete database main",
    meanwhile: patchMain({ metadata: { finalizers: null } }),
    expected: ['database.demo.example.com "main" deleted'],
  },
];

const watches: WatchCase[] = [
  {
    name: "get --watch shows what is there, then what happens",
    command: "get databases --watch --output-watch-events",
    initially: ["EVENT      NAME   PHASE   REPLICAS   ENGINE", "ADDED      main           1          postgres"],
    steps: [
      { act: setStatus({ phase: "Running" }), shows: "MODIFIED   main   Running   1          postgres" },
      { act: patchMain({ spec: { replicas: 3 } }), shows: "MODIFIED   main   Running   3          postgres" },
      { act: create("second"), shows: "ADDED      second             1          postgres" },
      { act: deleteMain, shows: "DELETED    main     Running   3          postgres" },
    ],
  },
  {
    name: "get --watch of one object leaves the others out",
    command: "get database main --watch -o 'jsonpath={.metadata.name} {.spec.replicas}{\"\\n\"}'",
    initially: ["main 1"],
    steps: [{ act: create("second") }, { act: patchMain({ spec: { replicas: 3 } }), shows: "main 3" }],
  },
  {
    name: "an object that comes to match a selector is added, one that no longer does is deleted",
    command: "get databases --watch --output-watch-events -l team=blue",
    initially: [],
    steps: [
      {
        act: labelMain("blue"),
        shows: "EVENT      NAME   PHASE   REPLICAS   ENGINE\nADDED      main           1          postgres",
      },
      { act: patchMain({ spec: { replicas: 3 } }), shows: "MODIFIED   main           3          postgres" },
      { act: labelMain("red"), shows: "DELETED    main           3          postgres" },
    ],
  },
  {
    name: "get --watch-only shows changes, as the user formats them",
    command: "get databases --watch-only -o 'jsonpath={.metadata.name} {.spec.replicas}{\"\\n\"}'",
    initially: [],
    steps: [
      { act: patchMain({ spec: { replicas: 3 } }), shows: "main 3" },
      { act: create("second"), shows: "second 1" },
    ],
  },
];

conform("kubectl waits", (open) => {
  for (const each of waits) test(each.name, (t) => runWait(t, open, each));
  for (const each of watches) test(each.name, (t) => runWatch(t, open, each));

  test("wait gives up after its timeout", async (t) => {
    const terminal = await openTerminal(t, open);
    if (terminal === undefined) return;
    await create("main")(terminal);
    const { output, code } = await terminal.run("wait database/main --for=condition=Ready --timeout=300ms");
    assert.deepEqual([linesOf(output), code], [["error: timed out waiting for the condition on databases/main"], 1]);
  });

  test("a kind can be used once it is established, until it is deleted", async (t) => {
    const terminal = await openTerminal(t, open);
    if (terminal === undefined) return;
    const group = `g${randomBytes(4).toString("hex")}.example.com`;
    const crd = { ...workerCrd, metadata: { name: `workers.${group}` }, spec: { ...workerCrd.spec, group } };
    terminal.write("crd.yaml", crd);
    terminal.write("worker.yaml", {
      apiVersion: `${group}/v1`,
      kind: "Worker",
      metadata: { name: "a" },
      spec: { queue: "q" },
    });
    const says = async (command: string) => linesOf((await terminal.run(command)).output).join("\n");
    const isServed = async () => (await terminal.run(`get workers.${group}`)).code === 0;
    const defined = `customresourcedefinition.apiextensions.k8s.io/workers.${group}`;
    assert.equal(await says("apply -f crd.yaml"), `${defined} created`);
    assert.equal(
      await says(`wait crd/workers.${group} --for=condition=Established --timeout=20s`),
      `${defined} condition met`,
    );
    await until(isServed, { what: "the new kind is served" });
    assert.equal(await says("apply -f worker.yaml"), `worker.${group}/a created`);
    assert.equal(await says("apply -f crd.yaml"), `${defined} unchanged`);
    assert.equal(
      await says("delete -f crd.yaml"),
      `customresourcedefinition.apiextensions.k8s.io "workers.${group}" deleted`,
    );
    await until(async () => !(await isServed()), { what: "the kind is gone" });
  });
});

async function runWait(t: TestContext, open: Open, { finalizers = [], command, meanwhile, expected }: WaitCase) {
  const terminal = await openTerminal(t, open);
  if (terminal === undefined) return;
  const { target, namespace } = terminal;
  const { metadata, ...rest } = database("main", namespace);
  await target.client.create(databasePath(namespace), { ...rest, metadata: { ...metadata, finalizers } });
  const running = await startWatching(terminal, command);
  await meanwhile(terminal);
  const { output, code } = await running.ended;
  assert.deepEqual([linesOf(output), code], [expected, 0]);
}

async function runWatch(t: TestContext, open: Open, { command, initially, steps }: WatchCase) {
  const terminal = await openTerminal(t, open);
  if (terminal === undefined) return;
  await create("main")(terminal);
  const running = await startWatching(terminal, command);
  t.after(() => running.kill());
  const expected = [...initially];
  const isShown = () => isDeepStrictEqual(linesOf(running.output()), expected);
  // What is missing is seen in the comparison, which says more than that the wait was in vain.
  const untilShown = () => until(isShown).catch(() => {});
  await untilShown();
  for (const step of steps) {
    await step.act(terminal);
    if (step.shows !== undefined) expected.push(...step.shows.split("\n"));
    await untilShown();
  }
  assert.deepEqual(linesOf(running.output()), expected);
}

/** Starts kubectl so that it writes down its requests, and answers when it watches. Fails when kubectl ends before that. */
async function startWatching(terminal: Terminal, command: string): Promise<Running> {
  const running = terminal.start(`${command} -v=6`);
  const isWatching = () => running.output().includes("watch=true");
  const early = running.ended.then(({ output }) => assert.ok(isWatching(), `kubectl ${command} has ended: ${output}`));
  await Promise.race([early, until(isWatching, { what: `kubectl ${command} watches` })]);
  return running;
}
