/**
 * The writer: a process of its own that changes Widgets at a given rate until SIGTERM, and keeps the ledger. One write of an object
 * is under way at a time, and its line is in the file before the next. What was refused is dropped; where it is not known whether
 * a write happened, the object is read until the API server answers, and what is found is logged. Nothing else writes Widgets.
 */
import { openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { kubeAccess } from "../kit/kube-access.ts";
import { createRandom } from "../kit/random.ts";
import { nextWrite, type Slot } from "./next-write.ts";
import { widgetName, widgetPath } from "./widget.ts";
import { createHand, type Hand } from "./writer-hand.ts";
import { answerTo, createOrders, type OrderName } from "./writer-order.ts";
import { WriterSettings } from "./writer-settings.ts";

/** Writes under way at once: more would only wait in the API server. */
const BUSY_MAX = 16;
const BEHIND_MS_MAX = 250;
/** How often a paused writer looks for its next order. */
const ORDER_POLL_MS = 20;

await main(WriterSettings.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))));

async function main(settings: WriterSettings): Promise<void> {
  const { client } = kubeAccess(settings.kube);
  const random = createRandom(settings.seed);
  const hand = createHand(client, openSync(settings.ledgerPath, "a"));
  const orders = createOrders(settings.ordersPath);
  const slots = slotsOf(settings);
  const idle = [...slots];
  const underWay = new Set<Promise<void>>();
  let isStopping = false;
  let isPaused = false;
  process.on("SIGTERM", () => {
    isStopping = true;
  });
  process.stderr.write("writing\n");
  for (let dueMs = performance.now(); !isStopping; dueMs += 1_000 / settings.rate) {
    const order = orders.next();
    if (order !== undefined) {
      await Promise.all(underWay);
      isPaused = await obey(order.order, hand, slots);
      process.stderr.write(`${answerTo(order)}\n`);
    }
    const waitMs = isPaused ? ORDER_POLL_MS : dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    if (isPaused) continue;
    // What could not be written while the server was away is not made up for.
    if (waitMs < -BEHIND_MS_MAX) dueMs = performance.now();
    if (underWay.size >= BUSY_MAX || idle.length === 0) await Promise.race(underWay);
    const [slot] = idle.splice(Math.floor(random.between(0, idle.length)), 1);
    if (slot === undefined) continue;
    const writing = hand.write(slot, nextWrite(client, slot, random)).then(() => {
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

/** Answers whether writing pauses. */
async function obey(order: OrderName, hand: Hand, slots: readonly Slot[]): Promise<boolean> {
  switch (order) {
    case "pause":
      return true;
    case "reread":
      await hand.reread(slots);
      return false;
    case "remove kind":
      await hand.removeKind(slots);
      return true;
    case "make kind":
      await hand.makeKind();
      return false;
    default:
      return order satisfies never;
  }
}
