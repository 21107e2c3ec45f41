/**
 * A NATS that loses what it had acknowledged: its store is put back to an older copy, in part or as a whole, or wiped. Under a
 * running and under a stopped bridge the log ends up with the last state of every object, and tells nothing that did not happen.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { opOf } from "../../bridge/contract.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import { databases, startJourney } from "./rig.ts";

async function openScene(t: TestContext) {
  const journey = await startJourney(t);
  if (journey === undefined) return undefined;
  const { kube, nats, namespace } = journey;
  const { client } = kube;
  const path = (name?: string) => databasePath(namespace, name);
  const copy = `${nats.storeDir}-backup`;
  const events = async () =>
    (await journey.events()).map((envelope) => {
      const { gap, object } = envelope.data;
      const replicas = (object["spec"] as { replicas?: number }).replicas;
      return { id: envelope.id, text: `${envelope.name} ${opOf(envelope)} ${replicas}${gap ? " gap" : ""}` };
    });
  const texts = async () => (await events()).map(({ text }) => text);
  const whileDown = async (work: () => void) => {
    await nats.kill("SIGTERM");
    work();
    await nats.restart();
  };
  let bridge: Awaited<ReturnType<typeof journey.startBridge>> | undefined;
  const told = async (text: string) => {
    const what = `"${text}"`;
    try {
      await until(async () => (await texts()).includes(text), { what, waitMsMax: 60_000 });
    } catch (error) {
      const seen = (await texts()).join(", ");
      throw new Error(`${(error as Error).message}; the log has: ${seen}\n${bridge?.logTail() ?? ""}`, {
        cause: error,
      });
    }
  };
  return {
    async startBridge() {
      bridge = await journey.startBridge({ resources: [databases(namespace)] });
      return bridge;
    },
    create: (name: string) => client.create(path(), database(name, namespace, { replicas: 1 })),
    scale: (name: string, replicas: number) => client.patch(path(name), { spec: { replicas } }),
    backUp: () => whileDown(() => cpSync(nats.storeDir, copy, { recursive: true })),
    /** Puts back what is below the folder of this name, or everything. */
    restore: (only?: string) =>
      whileDown(() => {
        const folder = only === undefined ? "" : folderNamed(nats.storeDir, only);
        rmSync(join(nats.storeDir, folder), { recursive: true });
        cpSync(join(copy, folder), join(nats.storeDir, folder), { recursive: true });
      }),
    wipe: () => whileDown(() => rmSync(nats.storeDir, { recursive: true })),
    events,
    texts,
    told,
  };
}

function folderNamed(root: string, name: string): string {
  const found = readdirSync(root, { recursive: true, encoding: "utf8" }).find((path) => path.endsWith(`/${name}`));
  return found ?? assert.fail(`${root} has no folder ${name}`);
}

type Scene = NonNullable<Awaited<ReturnType<typeof openScene>>>;

/** The backup knows `a` and `b`; then `a` is scaled and `c` made. */
async function live({ create, scale, backUp, told }: Scene): Promise<void> {
  await create("a");
  await create("b");
  await told("b created 1");
  await backUp();
  await scale("a", 5);
  await create("c");
  await told("a updated 5");
  await told("c created 1");
}

const unique = (events: readonly { readonly id: string }[]) =>
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length, "each version once");

describe("a NATS that loses acknowledged events", () => {
  test("under a running bridge: what is lost is told again from the API server's history", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, restore, events, texts, told } = scene;
    const bridge = await startBridge();
    await live(scene);
    await restore();
    await told("a updated 5");
    await told("c created 1");
    assert.deepEqual((await texts()).toSorted(), ["a created 1", "a updated 5", "b created 1", "c created 1"]);
    unique(await events());
    assert.match(bridge.logTail(), /NATS has lost events that it had acknowledged/);
  });

  test("but not the checkpoint, under a stopped bridge: it is not trusted, and what was lost is compared", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, restore, events, texts, told } = scene;
    const first = await startBridge();
    await live(scene);
    await first.stop();
    await restore("CR_EVENTS");
    const second = await startBridge();
    await told("a updated 5 gap");
    await told("c existing 1 gap");
    assert.deepEqual((await texts()).toSorted(), ["a created 1", "a updated 5 gap", "b created 1", "c existing 1 gap"]);
    unique(await events());
    assert.match(second.logTail(), /NATS has lost events that it had acknowledged/);
  });

  test("because it was wiped, under a running bridge: everything is told as existing, nothing as created", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { startBridge, scale, wipe, events, texts, told } = scene;
    await startBridge();
    await live(scene);
    await wipe();
    await told("c existing 1 gap");
    await scale("b", 2);
    await told("b updated 2");
    assert.deepEqual((await texts()).toSorted(), [
      "a existing 5 gap",
      "b existing 1 gap",
      "b updated 2",
      "c existing 1 gap",
    ]);
    unique(await events());
  });
});
