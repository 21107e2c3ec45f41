/**
 * What the writer does next with one object: creates it, changes its spec, status or metadata under one of several field managers,
 * writes what is already there, deletes it at once or held by a finalizer, and creates it again under its name.
 */
import type { KubeClient, KubeObject } from "../kit/kube-client.ts";
import type { Random } from "../kit/random.ts";
import type { LedgerLine } from "./ledger.ts";
import { PHASES, WIDGET_API_VERSION, widgetPath } from "./widget.ts";

/** One object's place: what the API server said of it last. */
export interface Slot {
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  current: KubeObject | undefined;
}

/** A request, and what its answer means. */
export interface NextWrite {
  readonly operation: LedgerLine["operation"];
  /** Answers the object, or `undefined` when it is gone with this write. */
  send(): Promise<KubeObject | undefined>;
}

/** Field managers, as controllers and people are. */
const MANAGERS = ["kubectl-edit", "widget-operator", "autoscaler"] as const;
const FINALIZER = "chaos.example.com/held";
/** Keys that a JSON Pointer has to escape, and that look like something else. */
const AWKWARD_KEYS = ["a", "b/c", "~d", "", "~1", "constructor"] as const;

/** Draws the next write of an object. */
export function nextWrite(client: KubeClient, slot: Slot, random: Random): NextWrite {
  const { current } = slot;
  if (current === undefined) return creation(client, slot, random);
  const isHeld = current.metadata["deletionTimestamp"] !== undefined;
  const dice = random.next();
  if (isHeld && dice < 0.5) return release(client, slot);
  if (!isHeld && dice < 0.08) return deletion(client, slot);
  return change(client, slot, current, random);
}

/** Takes the finalizer off, so that nothing holds the object any more; `undefined` when it has none. */
export function freeing(client: KubeClient, slot: Slot): NextWrite | undefined {
  const { current, path } = slot;
  if (current?.metadata["finalizers"] === undefined) return undefined;
  if (current.metadata["deletionTimestamp"] !== undefined) return release(client, slot);
  return { operation: "metadata", send: () => client.patch(path, { metadata: { finalizers: null } }) };
}

function creation(client: KubeClient, { namespace, name }: Slot, random: Random): NextWrite {
  const isHeldLater = random.next() < 0.3;
  const widget = {
    apiVersion: WIDGET_API_VERSION,
    kind: "Widget",
    metadata: { name, namespace, ...(isHeldLater && { finalizers: [FINALIZER] }) },
    spec: { size: sizeFrom(random), free: { born: random.next() } },
  };
  return { operation: "create", send: () => client.create(widgetPath(namespace), widget) };
}

function deletion(client: KubeClient, { path, current }: Slot): NextWrite {
  const isHeld = current?.metadata["finalizers"] !== undefined;
  return {
    operation: isHeld ? "deleting" : "deleted",
    send: () => client.delete(path).then((answer) => (isHeld ? answer : undefined)),
  };
}

function release(client: KubeClient, { path }: Slot): NextWrite {
  const send = () => client.patch(path, { metadata: { finalizers: null } }).then(() => undefined);
  return { operation: "deleted", send };
}

function change(client: KubeClient, { path }: Slot, current: KubeObject, random: Random): NextWrite {
  const fieldManager = random.pick(MANAGERS);
  const size = sizeFrom(random);
  const dice = random.next();
  const patch = (operation: LedgerLine["operation"], body: object, subresource?: "status"): NextWrite => ({
    operation,
    send: () => client.patch(path, body, { fieldManager, ...(subresource && { subresource }) }),
  });
  if (dice < 0.45) {
    const [phase, status] = [random.pick(PHASES), random.pick(["True", "False", "Unknown"])];
    const conditions = [{ type: random.pick(["Ready", "Synced"]), status, reason: fieldManager, message: `${size}` }];
    return patch("status", { status: { phase, conditions } }, "status");
  }
  if (dice < 0.65) return patch("spec", { spec: { size, note: random.pick(["", "a/b~c", "é ✗", null]) } });
  if (dice < 0.78) return patch("spec", { spec: { free: freeFields(random) } });
  if (dice < 0.88) return patch("metadata", { metadata: { labels: { "chaos.example.com/a": `${size % 3}` } } });
  // What is already there: nothing happens, or only the list of managers changes.
  const same = { size: current["spec"]?.size };
  if (dice < 0.94) return patch("spec", { spec: same });
  const applied = { apiVersion: WIDGET_API_VERSION, kind: "Widget", metadata: {}, spec: same };
  return { operation: "apply", send: () => client.apply(path, applied, fieldManager) };
}

function freeFields(random: Random): object {
  const size = sizeFrom(random);
  const value = random.pick<unknown>([size, [size, { x: size }], size / 7, {}, null, "text", true]);
  return {
    [random.pick(AWKWARD_KEYS)]: value,
    list: Array.from({ length: size % 5 }, (_, index) => ({ index, size })),
  };
}

const sizeFrom = (random: Random): number => Math.floor(random.between(0, 1_000));
