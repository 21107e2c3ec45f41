/**
 * What Knative's Triggers make of relayed events: a receiver on the official SDK stands for the Broker, and the filters of the CloudEvents
 * Subscriptions API are evaluated here a second time, by their text alone, over the attributes that the SDK found in the request. Both
 * have to come out as our own filters do on the event itself.
 * Source: CloudEvents Subscriptions API 0.1, section 3.2.4; Knative Eventing, "Triggers", filters.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CloudEvent, HTTP } from "cloudevents";
import type { Filter } from "../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../functions/kit/filter/match.ts";
import relay from "../../functions/relay.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";

const running = { spec: { replicas: 1 }, status: { phase: "Running" } };
const failed = { spec: { replicas: 1 }, status: { phase: "Failed" } };
const EVENTS = {
  "a failure": sampleEvent({ before: running, after: failed }),
  "a recovery": sampleEvent({ before: failed, after: running }),
  "a change of the spec": sampleEvent({ before: running, after: { ...running, spec: { replicas: 2 } } }),
  "a birth that failed": sampleEvent({ op: "created", after: failed }),
  "a deletion": sampleEvent({ op: "deleted", before: failed, after: failed }),
} as const;

/** As they stand in a Trigger's `filters`. */
const FILTERS: readonly Filter[] = [
  { exact: { kind: "Database", phase: "Failed" } },
  { exact: { type: "dev.cr-reactor.resource.updated", phasefrom: "Running" } },
  { exact: { missing: "x" } },
  { prefix: { subject: "/apis/demo.example.com/v1/namespaces/prod/" } },
  { suffix: { type: ".deleted" } },
  { suffix: { changed: "spec" } },
  { not: { exact: { phase: "Failed" } } },
  { all: [{ prefix: { name: "ord" } }, { not: { suffix: { type: ".created" } } }] },
  { any: [{ exact: { phase: "Running" } }, { suffix: { type: "deleted" } }] },
  {
    all: [{ any: [{ exact: { changed: "status" } }, { exact: { changed: "spec" } }] }, { exact: { cluster: "eu-1" } }],
  },
];

/** Whether an event passes, by the text of the specification: every attribute that is named is there, and is so. */
function passes({ exact, prefix, suffix, all, any, not }: Filter, event: CloudEvent): boolean {
  const each = (wanted: Readonly<Record<string, string>> | undefined, isSo: (found: string, text: string) => boolean) =>
    Object.entries(wanted ?? {}).every(([name, text]) => event[name] !== undefined && isSo(String(event[name]), text));
  return (
    each(exact as Record<string, string>, (found, text) => found === text) &&
    each(prefix as Record<string, string>, (found, text) => found.startsWith(text)) &&
    each(suffix as Record<string, string>, (found, text) => found.endsWith(text)) &&
    (all ?? []).every((filter) => passes(filter, event)) &&
    (any === undefined || any.some((filter) => passes(filter, event))) &&
    (not === undefined || !passes(not, event))
  );
}

describe("Knative's Triggers see in what is relayed what our filters see in the event:", () => {
  for (const mode of ["binary", "structured"]) {
    for (const [name, event] of Object.entries(EVENTS)) {
      test(`${name}, ${mode}`, async (t) => {
        const broker = await startReceiver(() => ({ status: 202 }));
        t.after(() => broker.stop());
        await relay.run(sampleContext(event, relay.config.parse({ url: broker.origin, mode })));
        const [request] = broker.requests;
        assert.ok(request);
        const received = HTTP.toEvent({ headers: request.headers, body: request.body }) as CloudEvent;
        const expected = FILTERS.map((when) => {
          const selection = { apiVersion: event.apiversion, kind: event.kind, when, includeExisting: true };
          return compileFilter(selection).match(event).type === "matched";
        });
        assert.deepEqual(
          FILTERS.map((filter) => passes(filter, received)),
          expected,
        );
      });
    }
  }
});
