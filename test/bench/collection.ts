/** The databases of a group on a real kube-apiserver: made once, then written to by as many hands as it takes, with a ledger of what it acknowledged. */
import type { KubeServer } from "../kit/kube-apiserver.ts";
import { bytesOfServed, freeCrd, NAMESPACES, objectAt } from "./object.ts";
import type { Stage } from "./scenario.ts";
import { wallClockMs } from "./wall-clock.ts";

/** A write that the API server has acknowledged. */
export interface Write {
  /** `<uid>.<resourceVersion>` */
  readonly key: string;
  /** When the answer was there, on the wall clock. */
  readonly acknowledgedAtMs: number;
}

/** Objects, and a hand on them. */
export interface Collection {
  /** Changes the next object's spec, one after the other. */
  write(): Promise<Write>;
}

/** More at once do not make the API server write faster on two cores. */
const AT_ONCE = 16;
const BYTES = bytesOfServed(2 * 1024);
const PROGRESS_OBJECTS = 2_000;

/** Makes the kind and its objects. */
export async function openCollection(
  stage: Stage,
  kube: KubeServer,
  group: string,
  objects: number,
): Promise<Collection> {
  const { client } = kube;
  await client.applyCrd(freeCrd(group));
  for (const name of NAMESPACES) await client.createNamespace(name).catch(() => undefined); // another collection has made it
  const pathOf = (namespace = "") => `/apis/${group}/v1/namespaces/${namespace}/databases`;
  await timesAtOnce(objects, async (index) => {
    const { metadata, ...rest } = objectAt(index, 0, BYTES, group);
    const { name, namespace, labels } = metadata;
    await client.create(pathOf(namespace), { ...rest, metadata: { name, namespace, labels } });
    if (index % PROGRESS_OBJECTS === 0) stage.progress(`${index} of ${objects} objects made`);
  });
  let writes = 0;
  return {
    async write() {
      const number = writes++;
      const { name, namespace } = objectAt(number % objects, 0, 0, group).metadata;
      const spec = { revision: number + 1 };
      const { metadata } = await client.patch(`${pathOf(namespace)}/${name}`, { spec });
      return { key: `${metadata.uid}.${metadata.resourceVersion}`, acknowledgedAtMs: wallClockMs() };
    },
  };
}

/** Runs `act` so many times, some at once. */
export async function timesAtOnce(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const hands = Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await act(next++);
  });
  await Promise.all(hands);
}
