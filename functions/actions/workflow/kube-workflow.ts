/**
 * Starts a workflow that is a Kubernetes object, once: its name is derived from the event, so a second try finds the first one, and the
 * idempotency key in its annotations tells that it is the first one and not another's.
 */
import { z } from "zod";
import { type KubeRight, PermanentError } from "#kit";
import { type KubeClient, type KubeClients, KubeSettings } from "../kube/kube-client.ts";
import { isMadeFor, originMetadata, ownerReferences, StringMap } from "../kube/origin.ts";
import type { Started, WorkflowOrder } from "./workflow-order.ts";

/** What every such target has, for settings. */
export const KubeWorkflowTarget = z.strictObject({
  /** Where it runs; default: the namespace of the event's object. */
  namespace: z.string().min(1).optional(),
  /** Further labels and annotations; ours go before them. */
  labels: StringMap,
  annotations: StringMap,
  /** Whether it goes with the event's object (an owner reference). */
  owner: z.boolean().default(false),
  kubernetes: KubeSettings,
});
type KubeWorkflowTarget = z.infer<typeof KubeWorkflowTarget>;

/** A workflow object that is to be. */
export interface WorkflowObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly spec: unknown;
}

/** What starting one takes: a second try looks at what is there. */
export function workflowRight(
  { namespace, kubernetes }: KubeWorkflowTarget,
  kind: Pick<KubeRight, "apiVersion" | "kind">,
): KubeRight {
  return { ...kind, verbs: ["create", "get"], ...(namespace !== undefined && { namespace }), kubernetes };
}

/** Where its workflows run. Throws PermanentError when nothing says so. */
export function namespaceOf({ namespace }: KubeWorkflowTarget, { call: { event } }: WorkflowOrder): string {
  const found = namespace ?? event.namespace;
  if (found !== undefined) return found;
  throw new PermanentError(
    `${event.kind} ${event.name} is in no namespace: set target.namespace to where its workflows run`,
  );
}

/** Starts it. `make` is asked at each try, with the client for what it has to look up. */
export async function startKubeWorkflow(
  clients: KubeClients,
  target: KubeWorkflowTarget,
  order: WorkflowOrder,
  make: (client: KubeClient, namespace: string) => Promise<WorkflowObject> | WorkflowObject,
): Promise<Started> {
  const { call, id: name } = order;
  const client = clients(target.kubernetes, call);
  const namespace = namespaceOf(target, order);
  const { apiVersion, kind, plural, labels, annotations, spec } = await make(client, namespace);
  const origin = originMetadata(call);
  const metadata = {
    ...{ name, namespace },
    labels: { ...labels, ...target.labels, ...origin.labels },
    annotations: { ...annotations, ...target.annotations, ...origin.annotations },
    ...(target.owner && ownerReferences(call.event, namespace)),
  };
  const place = { apiVersion, plural, namespace, name };
  if ((await client.create(place, { apiVersion, kind, metadata, spec })) === "created") return "started";
  const found = await client.get(place);
  if (found === undefined) throw new Error(`${kind} ${namespace}/${name} was there, and is not any more`);
  if (isMadeFor(found.metadata.annotations, call)) return "already started";
  throw new PermanentError(
    `${kind} ${namespace}/${name} is there, and was not made for this event: remove it, or set another namePrefix`,
  );
}
