import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import triggerWorkflow from "../../functions/trigger-workflow.ts";
import { startWorkflowEndpoint, type WorkflowEndpoint } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";

const TOKEN = "CR_REACTOR_TEST_WORKFLOW_TOKEN";

const scaled = sampleEvent({
  before: { spec: { replicas: 3 }, status: { phase: "Running" } },
  after: { spec: { replicas: 5, labels: { "a.b/c": "x" } }, status: { phase: "Running" } },
});

/** Runs the function against an endpoint, with settings as they stand in YAML. */
function run(
  endpoint: WorkflowEndpoint,
  settings: { target?: object; parameters?: object } = {},
  subscription = "databases",
) {
  process.env[TOKEN] ??= endpoint.token;
  const { target, ...rest } = settings;
  const config = triggerWorkflow.config.parse({
    target: { type: "http", url: endpoint.url, token: { env: TOKEN }, ...target },
    ...rest,
  });
  const idempotencyKey = `${subscription}/${scaled.id}`;
  return triggerWorkflow.run({ ...sampleContext(scaled, config), subscription, idempotencyKey });
}

afterEach(() => {
  delete process.env[TOKEN];
});

describe("trigger-workflow", () => {
  test("starts a workflow that knows its event and its parameters", async () => {
    await using endpoint = await startWorkflowEndpoint();
    const parameters = {
      replicas: "object.spec.replicas",
      was: "before.spec.replicas",
      label: "/object/spec/labels/a.b~1c",
      phase: "event.phase",
      gap: "change.gap",
      nothing: "object.spec.no.such",
    };
    const note = await run(endpoint, { parameters });
    const [workflow] = endpoint.workflows.values();
    assert.match(workflow?.id ?? "", /^cr-[0-9a-f]{20}$/);
    assert.deepEqual(workflow?.parameters, {
      replicas: 5,
      was: 3,
      label: "x",
      phase: "Running",
      gap: false,
      nothing: null,
    });
    assert.deepEqual(workflow?.event, {
      id: scaled.id,
      type: "dev.cr-reactor.resource.updated",
      subject: "/apis/demo.example.com/v1/namespaces/prod/databases/orders",
      time: scaled.time,
      cluster: "eu-1",
      apiversion: "demo.example.com/v1",
      kind: "Database",
      namespace: "prod",
      name: "orders",
    });
    assert.equal(endpoint.requests[0]?.headers["idempotency-key"], `databases/${scaled.id}/start`);
    assert.equal(note, `workflow ${workflow.id} started`);
  });

  test("starts it once, though the answer to the first try was lost", async () => {
    await using endpoint = await startWorkflowEndpoint();
    endpoint.next("lose-answer");
    const failure = await failureOf(async () => run(endpoint));
    assert.equal(failure.treated, "retry");
    assert.match((await run(endpoint)) ?? "", /already started$/);
    assert.equal(endpoint.workflows.size, 1);
    assert.equal(endpoint.requests.length, 2);
  });

  test("starts one for each subscription of the same event", async () => {
    await using endpoint = await startWorkflowEndpoint();
    await run(endpoint, {}, "one");
    await run(endpoint, {}, "two");
    assert.equal(endpoint.workflows.size, 2);
  });

  test("waits as long as the endpoint asks", async () => {
    await using endpoint = await startWorkflowEndpoint();
    endpoint.next({ status: 429, headers: { "retry-after": "5" } });
    const failure = await failureOf(async () => run(endpoint));
    assert.deepEqual([failure.treated, failure.afterMs], ["retry", 5_000]);
  });

  test("gives up on a refused token without telling it", async () => {
    await using endpoint = await startWorkflowEndpoint();
    process.env[TOKEN] = "other-s3cret";
    const failure = await failureOf(async () => run(endpoint, { parameters: { replicas: "object.spec.replicas" } }));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /HTTP 401\): check the token/);
    assert.doesNotMatch(failure.words, /s3cret|\/workflows/);
  });

  test("sends an endpoint's own headers, secret ones from a secret", async () => {
    await using endpoint = await startWorkflowEndpoint();
    await run(endpoint, { target: { headers: { "x-team": "data", "x-api-key": { env: TOKEN } } } });
    assert.equal(endpoint.requests[0]?.headers["x-team"], "data");
    assert.equal(endpoint.requests[0]?.headers["x-api-key"], endpoint.token);
  });
});

describe("trigger-workflow's settings", () => {
  const http = (more: object) => ({ target: { type: "http", url: "https://x.example/", ...more } });
  const refused: { name: string; config: object; problem: RegExp }[] = [
    { name: "an unknown kind of target", config: { target: { type: "argo" } }, problem: /http/ },
    { name: "another scheme", config: { target: { type: "http", url: "ftp://x.example/" } }, problem: /http or https/ },
    {
      name: "credentials in the URL",
      config: { target: { type: "http", url: "https://a:b@x.example/" } },
      problem: /credentials/,
    },
    { name: "a token written down", config: http({ token: "abc" }), problem: /env: NAME/ },
    {
      name: "a credential among the headers",
      config: http({ headers: { Authorization: "Bearer abc" } }),
      problem: /set token/,
    },
    { name: "a header that is none", config: http({ headers: { "a b": "x" } }), problem: /name of an HTTP header/ },
    {
      name: "a parameter that starts nowhere",
      config: { ...http({}), parameters: { a: "spec.replicas" } },
      problem: /starts with object, before, event or change/,
    },
    {
      name: "a path that cannot be read",
      config: { ...http({}), parameters: { a: "object.spec[" } },
      problem: /cannot be read at/,
    },
  ];
  for (const { name, config, problem } of refused) {
    test(`refuse ${name} at start`, () => {
      assert.match(triggerWorkflow.config.safeParse(config).error?.message ?? "", problem);
    });
  }
});
