/** How a scenario uses the embedded API server of `stand-server.ts`. */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createDataFolder } from "../kit/data-folder.ts";
import { kubeClient } from "../kit/kube-client.ts";
import { freeCrd } from "./object.ts";
import type { StandOrder, Traffic } from "./stand-server.ts";

/** A running server with its objects. */
export interface Stand extends AsyncDisposable {
  readonly kubeconfigPath: string;
  /** Makes so many writes, and answers how many. */
  change(count: number): Promise<number>;
  /** Forgets the history: 20,000 later writes can be watched from here. */
  compact(): Promise<void>;
  traffic(): Promise<Traffic>;
}

/** What is in it from the start. */
export interface StandOptions {
  readonly group: string;
  readonly objects: number;
  readonly bytes: number;
}

/** 100,000 objects of 20 KB, as JSON. */
const HEAP_MIB_MAX = 8 * 1024;

/** Starts the server and fills it. */
export async function openStand({ group, objects, bytes }: StandOptions): Promise<Stand> {
  const folder = createDataFolder("stand");
  const kubeconfigPath = join(folder.path, "kubeconfig");
  const worker = new Worker(new URL("stand-server.ts", import.meta.url), {
    workerData: kubeconfigPath,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  const [url] = (await once(worker, "message")) as [string];
  const ask = async (order: StandOrder): Promise<Traffic> => {
    worker.postMessage(order);
    const [traffic] = (await once(worker, "message")) as [Traffic];
    return traffic;
  };
  const client = kubeClient({ url, token: "", caPem: "" });
  await client.applyCrd(freeCrd(group));
  await client.close();
  await ask({ type: "fill", group, objects, bytes });
  return {
    kubeconfigPath,
    async change(count) {
      await ask({ type: "change", count });
      return count;
    },
    async compact() {
      await ask({ type: "compact" });
    },
    traffic: () => ask({ type: "look" }),
    async [Symbol.asyncDispose]() {
      await worker.terminate();
      folder.remove();
    },
  };
}
