/** Somebody who changes Databases as fast as the API server takes it, and what the log must have of that. */
import assert from "node:assert/strict";
import { database, databasePath } from "../kit/database-crd.ts";
import { until } from "../kit/until.ts";
import type { Journey } from "./rig.ts";

/** Creates and changes databases, one write at a time, until told to stop; the ids their events must have. */
export function keepWriting({ kube, namespace }: Journey) {
  const stop = new AbortController();
  const acknowledged = new Set<string>(); // a write without effect keeps its version
  const writing = (async () => {
    for (let count = 0; !stop.signal.aborted; count++) {
      const name = `db-${count % 5}`;
      const { metadata } =
        count < 5
          ? await kube.client.create(databasePath(namespace), database(name, namespace))
          : await kube.client.patch(databasePath(namespace, name), { spec: { replicas: 1 + (count % 9) } });
      acknowledged.add(`${metadata.uid}.${metadata.resourceVersion}`);
    }
  })();
  return {
    acknowledged,
    async stop() {
      stop.abort();
      await writing;
    },
  };
}

/** Every acknowledged write is in the log, once, and nothing else is of that kind. */
export async function assertComplete(journey: Journey, acknowledged: ReadonlySet<string>): Promise<void> {
  const ids = async () => (await journey.events()).filter(({ kind }) => kind === "Database").map(({ id }) => id);
  await until(async () => new Set(await ids()).size >= acknowledged.size, { pollMs: 250 });
  assert.deepEqual((await ids()).toSorted(), [...acknowledged].toSorted());
}
