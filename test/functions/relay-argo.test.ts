/**
 * Argo Events: what its webhook source makes of a request that relay sends, and whether the Sensor that comes with cr-reactor finds in it what
 * it names.
 * Source: Argo Events, "Webhook" event source (`{ header, body }`; `body` is the request's JSON), Sensor `filters.data` and `parameters`, whose
 * paths are gjson's.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { Envelope } from "../../bridge/event/envelope.ts";
import { valueAt } from "../../bridge/event/field-path.ts";
import relay from "../../functions/relay.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";

interface Source {
  readonly dependencyName: string;
  readonly dataKey?: string;
  readonly dataTemplate?: string;
}
interface Trigger {
  readonly template: Record<string, { readonly parameters?: readonly { readonly src: Source }[] }>;
}
interface Sensor {
  readonly spec: {
    readonly dependencies: readonly {
      readonly name: string;
      readonly filters: { readonly data: readonly { readonly path: string; readonly value: readonly string[] }[] };
    }[];
    readonly triggers: readonly Trigger[];
  };
}

const file = join(import.meta.dirname, "../../manifests/components/argo-events/sensor.yaml");
const [sensor] = parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Sensor);
const { dependencies, triggers } = (sensor as Sensor).spec;
const sources = triggers.flatMap(({ template }) =>
  Object.values(template).flatMap(({ parameters = [] }) => parameters.map(({ src }) => src)),
);

const state = (replicas: number, phase: string) => ({ spec: { replicas }, status: { phase } });
/** What each dependency of the Sensor waits for, and something that none of them does. */
const EVENTS: Readonly<Record<string, Envelope>> = {
  failed: sampleEvent({ op: "updated", before: state(3, "Running"), after: state(3, "Failed") }),
  updated: sampleEvent({ before: state(3, "Running"), after: state(5, "Running") }),
};
const other = sampleEvent({ op: "deleted", before: state(3, "Failed"), after: state(3, "Failed") });

/** What a Sensor gets of the request that relay sends, as the webhook source makes it. */
async function handedOn(t: TestContext, event: Envelope): Promise<object> {
  const source = await startReceiver(() => ({ status: 200 }));
  t.after(() => source.stop());
  await relay.run(sampleContext(event, relay.config.parse({ url: `${source.origin}/changes` })));
  const [request] = source.requests;
  assert.equal(request?.method, "POST");
  return { header: request.headers, body: JSON.parse(request.body) };
}

const at = (payload: object, path: string) => valueAt(payload, path.split("."));

describe("the Sensor", () => {
  for (const { name, filters } of dependencies) {
    test(`takes what "${name}" is about, and finds every path that it names`, async (t) => {
      const event = EVENTS[name];
      assert.ok(event, `an event for the dependency ${name}`);
      const payload = await handedOn(t, event);
      for (const { path, value } of filters.data) assert.ok(value.includes(String(at(payload, path))), path);
      const named = sources
        .filter(({ dependencyName }) => dependencyName === name)
        .flatMap(({ dataKey, dataTemplate = "" }) => [
          ...(dataKey === undefined ? [] : [dataKey]),
          ...[...dataTemplate.matchAll(/\.Input\.([\w.]+)/g)].map(([, path = ""]) => path),
        ]);
      assert.ok(named.length > 0);
      for (const path of named) assert.notEqual(at(payload, path), undefined, path);
    });

    test(`does not take for "${name}" what is none`, async (t) => {
      const payload = await handedOn(t, other);
      assert.ok(filters.data.some(({ path, value }) => !value.includes(String(at(payload, path)))));
    });
  }

  test("finds the object and the change where the documentation says", async (t) => {
    const payload = await handedOn(t, EVENTS["updated"] as Envelope);
    const found = ["body.data.object.metadata.name", "body.data.patch.0.path", "body.data.patch.0.oldValue"];
    assert.deepEqual(
      found.map((path) => at(payload, path)),
      ["orders", "/spec/replicas", 3],
    );
    assert.equal(at(payload, "header.content-type"), "application/cloudevents+json; charset=utf-8");
  });
});
