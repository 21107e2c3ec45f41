/**
 * Where an object that a function made comes from: labels to find it by, annotations that lead back to the event and to the object that it
 * is about, and an owner reference where one is asked for. The idempotency key among them tells ours from another's of the same name.
 * Source: Kubernetes documentation, "Recommended Labels", "Owners and Dependents", "Labels and Selectors" (63 characters).
 */
import { z } from "zod";
import { type Envelope, opOf, PermanentError } from "#kit";
import type { KubeCall } from "./kube-client.ts";

/** Who asks, and the key of the asking. */
export interface OriginCall extends Pick<KubeCall, "event" | "subscription"> {
  readonly idempotencyKey: string;
}

/** The object that something was made for, as an annotation holds it. */
export const OriginObject = z.object({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  namespace: z.string().min(1).optional(),
  name: z.string().min(1),
  uid: z.string().min(1),
});
export type OriginObject = z.infer<typeof OriginObject>;

/** Labels or annotations that a user adds, for settings. */
export const StringMap = z.record(z.string().min(1), z.string()).default({});

const DOMAIN = "cr-reactor.dev";
const KEY = `${DOMAIN}/idempotency-key`;
const OBJECT = `${DOMAIN}/object`;
const LABEL_CHARS_MAX = 63;

/** Labels and annotations for `metadata`. */
export function originMetadata({ event, subscription, idempotencyKey }: OriginCall) {
  return {
    labels: {
      "app.kubernetes.io/managed-by": "cr-reactor",
      [`${DOMAIN}/subscription`]: subscription.slice(0, LABEL_CHARS_MAX),
      [`${DOMAIN}/object-uid`]: event.data.object.metadata.uid,
    },
    annotations: {
      [KEY]: idempotencyKey,
      [`${DOMAIN}/event`]: event.id,
      [OBJECT]: JSON.stringify(originObject(event)),
    },
  };
}

/** The event's object. */
export function originObject({ apiversion: apiVersion, kind, namespace, name, data }: Envelope): OriginObject {
  return { apiVersion, kind, ...(namespace !== undefined && { namespace }), name, uid: data.object.metadata.uid };
}

/** Whether these are the annotations of what was made for this key. */
export function isMadeFor(
  annotations: Readonly<Record<string, string>> | null | undefined,
  { idempotencyKey }: Pick<OriginCall, "idempotencyKey">,
): boolean {
  return annotations?.[KEY] === idempotencyKey;
}

/** What an object was made for; `undefined` when it says nothing that can be read. */
export function madeFor(annotations: Readonly<Record<string, string>> | null | undefined): OriginObject | undefined {
  try {
    return OriginObject.parse(JSON.parse(annotations?.[OBJECT] ?? ""));
  } catch {
    return undefined;
  }
}

/** The owner reference: what is made goes with the object. Of an object that is deleted there is none. Throws PermanentError where none is allowed. */
export function ownerReferences(event: Envelope, namespace: string | undefined): object {
  const { namespace: ownerNamespace, ...owner } = originObject(event);
  if (ownerNamespace !== undefined && ownerNamespace !== namespace) {
    const where = namespace === undefined ? "which is the cluster's" : `in the namespace ${namespace}`;
    throw new PermanentError(
      `${event.kind} ${ownerNamespace}/${event.name} cannot own what is made, ${where}: an owner is in the same namespace or the cluster's. Leave out owner, or namespace`,
    );
  }
  return opOf(event) === "deleted"
    ? {}
    : { ownerReferences: [{ ...owner, controller: false, blockOwnerDeletion: false }] };
}
