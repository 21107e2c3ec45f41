/**
 * Starts a workflow at any HTTP endpoint: one POST of JSON that names the workflow, the event it is about, and its parameters.
 * The name and the `idempotency-key` are the same on every try, so that an endpoint which refuses a name it has (409) starts each
 * workflow once; one that does neither may start it again when its answer was lost.
 */
import { z } from "zod";
import { httpRequest } from "./http-client.ts";
import { endpointHeaders, HttpEndpoint } from "./http-endpoint.ts";
import type { Started, WorkflowOrder } from "./workflow/workflow-order.ts";

/** An endpoint, for settings. */
export const HttpTarget = HttpEndpoint.extend({ type: z.literal("http") });
export type HttpTarget = z.infer<typeof HttpTarget>;

/** How the call is made; see HttpRequest. */
export interface WebhookOptions {
  readonly idempotencyKey: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Orders the workflow. Secrets are read now, so that a rotated one needs no restart. Throws as httpRequest and readSecret do. */
export async function orderWorkflow(
  target: HttpTarget,
  order: Pick<WorkflowOrder, "id" | "event" | "parameters">,
  options: WebhookOptions,
): Promise<Started> {
  const { status } = await httpRequest({
    ...options,
    url: target.url,
    method: "POST",
    headers: { ...endpointHeaders(target), "content-type": "application/json" },
    body: JSON.stringify(order),
    acceptedStatuses: [409],
  });
  return status === 409 ? "already started" : "started";
}
