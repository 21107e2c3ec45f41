/**
 * What the writer can do: make a write and put it into the ledger, read everything again after etcd was restored, and take the whole
 * kind away and bring it back. What happens to an object is in the ledger before anything else is done to it.
 */
import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type KubeClient, type KubeObject, KubeStatusError } from "../kit/kube-client.ts";
import { type LedgerLine, stateDigest } from "./ledger.ts";
import { freeing, type NextWrite, type Slot } from "./next-write.ts";
import { widgetCrd } from "./widget.ts";

/** The hand that writes. */
export interface Hand {
  /** Makes the write. One of an object at a time. */
  write(slot: Slot, next: NextWrite): Promise<void>;
  /** Begins a new epoch with what the API server has. */
  reread(slots: readonly Slot[]): Promise<void>;
  /** Deletes the CustomResourceDefinition, and resolves when it is gone with all its objects. */
  removeKind(slots: readonly Slot[]): Promise<void>;
  /** Resolves when the kind is served again. */
  makeKind(): Promise<void>;
}

/** How often a server that is down is asked again. */
const READY_POLL_MS = 100;
const CRD_PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${widgetCrd.metadata.name}`;

/** Makes it; `ledger` is an open file. */
export function createHand(client: KubeClient, ledger: number): Hand {
  let epoch = 1;
  const log = (
    slot: Slot,
    operation: LedgerLine["operation"],
    object: KubeObject | undefined,
    fromMs: number,
  ): void => {
    const line: LedgerLine = {
      operation,
      epoch,
      object: `${slot.namespace}/${slot.name}`,
      path: slot.path,
      uid: (object ?? slot.current)?.metadata.uid ?? "",
      resourceVersion: object?.metadata.resourceVersion ?? null,
      digest: object === undefined ? null : stateDigest(object),
      fromMs,
      timeMs: Date.now(),
    };
    writeSync(ledger, `${JSON.stringify(line)}\n`);
    slot.current = object;
  };
  const look = async (slot: Slot, operation: LedgerLine["operation"], fromMs: number) => {
    const found = await find(client, slot);
    if (found !== undefined || slot.current !== undefined) log(slot, operation, found, fromMs);
  };
  const write = async (slot: Slot, { operation, send }: NextWrite) => {
    const fromMs = Date.now();
    try {
      log(slot, operation, await send(), fromMs);
    } catch (error) {
      if (isRefused(error)) return await delay(READY_POLL_MS);
      await look(slot, "unknown-outcome", fromMs);
    }
  };
  return {
    write,
    async reread(slots) {
      epoch++;
      for (const slot of slots) await look(slot, "found", Date.now());
    },
    async removeKind(slots) {
      for (const slot of slots) {
        const next = freeing(client, slot);
        if (next !== undefined) await write(slot, next);
      }
      const fromMs = Date.now();
      await client.delete(CRD_PATH);
      await client.waitFor<undefined>(CRD_PATH, (crd) => crd === undefined);
      for (const slot of slots) if (slot.current !== undefined) log(slot, "deleted", undefined, fromMs);
    },
    makeKind: () => client.applyCrd(widgetCrd),
  };
}

/** Reads until there is an answer that can be trusted: an API server that is still starting says "not found" of everything. */
async function find(client: KubeClient, { path, name }: Slot): Promise<KubeObject | undefined> {
  for (;;) {
    try {
      if ((await client.request<string>("GET", "/readyz")) === "ok") return await client.get(path);
    } catch (error) {
      if (error instanceof KubeStatusError && error.status === 404 && error.message.includes(`"${name}"`))
        return undefined;
    }
    await delay(READY_POLL_MS);
  }
}

/** Known not to have happened: nobody listened, or the server said no for a reason that is not its own trouble. */
function isRefused(error: unknown): boolean {
  if (error instanceof KubeStatusError) {
    if (error.status === 400 || error.status === 422) throw error;
    return [401, 403, 429].includes(error.status);
  }
  return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
}
