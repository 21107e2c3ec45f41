import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { createProcessMemory } from "../../functions/kit/step/process-memory.ts";
import triggerWorkflow from "../../functions/trigger-workflow.ts";
import { startReceiver, startWorkflowEndpoint, type WorkflowEndpoint } from "../kit/webhook-server.ts";
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

describe("trigger-workflow at GitHub Actions", () => {
  const parameters = { replicas: "object.spec.replicas", was: "before.spec.replicas", nothing: "object.spec.none" };
  const calls = [
    {
      name: "starts a workflow with its inputs, all of them texts",
      target: { workflow: "resize.yaml", ref: "main", idInput: "order" },
      path: "/repos/acme/ops/actions/workflows/resize.yaml/dispatches",
      body: (id: string) => ({ ref: "main", inputs: { replicas: "5", was: "3", order: id } }),
    },
    {
      name: "tells the repository what happened",
      target: { eventType: "database-scaled" },
      path: "/repos/acme/ops/dispatches",
      body: (id: string, event: unknown) => ({
        event_type: "database-scaled",
        client_payload: { id, event, parameters: { replicas: 5, was: 3, nothing: null } },
      }),
    },
  ];
  const target = { type: "github-actions", repository: "acme/ops", token: { env: TOKEN } };
  for (const { name, target: more, path, body } of calls) {
    test(name, async (t) => {
      const github = await startReceiver(() => ({ status: 204 }));
      t.after(() => github.stop());
      process.env[TOKEN] = "ghp_s3cret";
      const config = triggerWorkflow.config.parse({
        target: { ...target, apiUrl: github.origin, ...more },
        parameters,
      });
      const note = await triggerWorkflow.run(sampleContext(scaled, config));
      const [, id = ""] = /^workflow (cr-[0-9a-f]{20}) started$/.exec(note ?? "") ?? [];
      const [request, ...others] = github.requests;
      assert.deepEqual(others, []);
      assert.deepEqual([request?.method, request?.path], ["POST", path]);
      assert.equal(request?.headers.authorization, "Bearer ghp_s3cret");
      const sent = JSON.parse(request?.body ?? "");
      assert.deepEqual(sent, body(id, sent.client_payload?.event));
    });
  }

  test("does not start it again once it is known to have started", async (t) => {
    const github = await startReceiver(() => ({ status: 204 }));
    t.after(() => github.stop());
    process.env[TOKEN] = "ghp_s3cret";
    const memory = createProcessMemory();
    const config = triggerWorkflow.config.parse({ target: { ...target, apiUrl: github.origin, eventType: "x" } });
    await triggerWorkflow.run(sampleContext(scaled, config, memory));
    await triggerWorkflow.run(sampleContext(scaled, config, memory));
    assert.equal(github.requests.length, 1);
  });

  test("says what the token has to be allowed", async (t) => {
    const github = await startReceiver(() => ({ status: 403, body: '{"message":"Resource not accessible"}' }));
    t.after(() => github.stop());
    process.env[TOKEN] = "ghp_s3cret";
    const more = { apiUrl: github.origin, workflow: "resize.yaml", ref: "main" };
    const config = triggerWorkflow.config.parse({ target: { ...target, ...more } });
    const failure = await failureOf(async () => triggerWorkflow.run(sampleContext(scaled, config)));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /permission "Actions: read and write"/);
    assert.doesNotMatch(failure.words, /s3cret/);
  });
});

describe("trigger-workflow's settings", () => {
  const http = (more: object) => ({ target: { type: "http", url: "https://x.example/", ...more } });
  const refused: { name: string; config: object; problem: RegExp }[] = [
    { name: "an unknown kind of target", config: { target: { type: "jenkins" } }, problem: /http/ },
    { name: "another scheme", config: { target: { type: "http", url: "ftp://x.example/" } }, problem: /http or https/ },
    {
      name: "credentials in the URL",
      config: { target: { type: "http", url: "https://a:b@x.example/" } },
      problem: /credentials/,
    },
    {
      name: "a GitHub workflow without its ref",
      config: { target: { type: "github-actions", repository: "a/b", token: { env: "X" }, workflow: "x.yaml" } },
      problem: /ref is missing/,
    },
    {
      name: "two sources of a Job",
      config: {
        target: { type: "job", cronJob: "x", template: { spec: { template: { spec: { containers: [{}] } } } } },
      },
      problem: /set template, or cronJob/,
    },
    {
      name: "a template with a mistake",
      config: { ...http({}), parameters: { a: "{{ object.x | no }}" } },
      problem: /no filter/,
    },
    { name: "a prefix that is no name", config: { ...http({}), namePrefix: "Resize_" }, problem: /lower-case letters/ },
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
