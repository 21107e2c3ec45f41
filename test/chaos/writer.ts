/**
 * The writer: a process of its own that changes Widgets at a given rate until SIGTERM, and keeps the ledger. One write of an object
 * is under way at a time, and its line is in the file before the next. What was refused is dropped; where it is not known whether
 * a write happened, the object is read until the API server answers, and what is found is logged. Nothing else writes Widgets.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { kubeAccess } from "../kit/kube-access.ts";
import { type KubeClient, type KubeObject, KubeStatusError } from "../kit/kube-client.ts";
import { type LedgerLine, stateDigest } from "./ledger.ts";
import { nextWrite, type Slot } from "./next-write.ts";
import { createRandom, type Random } from "./random.ts";
import { widgetName, widgetPath } from "./widget.ts";
import { WriterSettings } from "./writer-settings.ts";

/** How often a server that is down is asked again. */
const READY_POLL_MS = 100;
/** Writes under way at once: more would only wait in the API server. */
const BUSY_MAX = 16;
const BEHIND_MS_MAX = 250;

await main(WriterSettings.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))));

async function main(settings: WriterSettings): Promise<void> {
  const { client } = kubeAccess(settings.kube);
  const random = createRandom(settings.seed);
  const ledger = openSync(settings.ledgerPath, "a");
  const idle = slotsOf(settings);
  const underWay = new Set<Promise<void>>();
  let isStopping = false;
  process.on("SIGTERM", () => {
    isStopping = true;
  });
  process.stderr.write("writing\n");
  for (let dueMs = performance.now(); !isStopping; dueMs += 1_000 / settings.rate) {
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    // What could not be written while the server was away is not made up for.
    if (waitMs < -BEHIND_MS_MAX) dueMs = performance.now();
    if (underWay.size >= BUSY_MAX || idle.length === 0) await Promise.race(underWay);
    const [slot] = idle.splice(Math.floor(random.between(0, idle.length)), 1);
    if (slot === undefined) continue;
    const writing = write(client, slot, random, ledger).then(() => {
      idle.push(slot);
      underWay.delete(writing);
    });
    underWay.add(writing);
  }
  await Promise.all(underWay);
  await client.close();
}

function slotsOf({ objects, namespaces }: WriterSettings): Slot[] {
  return Array.from({ length: objects }, (_, index) => {
    const [namespace, name] = [namespaces[index % namespaces.length] ?? "", widgetName(index)];
    return { namespace, name, path: widgetPath(namespace, name), current: undefined };
  });
}

/** Makes one write of the object and puts it into the ledger. */
async function write(client: KubeClient, slot: Slot, random: Random, ledger: number): Promise<void> {
  const fromMs = Date.now();
  const { operation, send } = nextWrite(client, slot, random);
  try {
    log(ledger, slot, operation, await send(), fromMs);
  } catch (error) {
    if (isRefused(error)) return await delay(READY_POLL_MS);
    const found = await find(client, slot);
    if (found !== undefined || slot.current !== undefined) log(ledger, slot, "unknown-outcome", found, fromMs);
  }
}

function log(
  ledger: number,
  slot: Slot,
  operation: LedgerLine["operation"],
  object: KubeObject | undefined,
  fromMs: number,
): void {
  const line: LedgerLine = {
    operation,
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
