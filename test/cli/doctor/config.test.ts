import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { SecretSource } from "../../../bridge/secret.ts";
import { secretsOf } from "../../../cli/doctor/secret.ts";
import { checkNode } from "../../../cli/doctor.ts";
import { bridgeText, doctor, file, resource, SECRET } from "./doctor-run.ts";

describe("doctor about configuration files", () => {
  const cases: readonly {
    name: string;
    bridge?: string;
    subscriptions?: string;
    code: number;
    expected: readonly RegExp[];
  }[] = [
    {
      name: "mistakes are told with line and field, and the rest is checked all the same, with what the file says of NATS",
      bridge: "cluster: Dev\nresource: []\nnats: { servers: [nats://127.0.0.1:2] }\n",
      code: 2,
      expected: [
        /failed: \S+:1:10 cluster: expected 1 to 63 of .* → edit line 1; .*cr-reactor schema bridge/,
        /failed: \S+:2:1 resource: unknown key \(did you mean "resources"\?\)/,
        /nats failed: no NATS at nats:\/\/127\.0\.0\.1:2/,
      ],
    },
    {
      name: "text that is no YAML",
      bridge: "cluster: [",
      code: 2,
      expected: [/failed: \S+:1:\d+: not valid YAML/, /nats failed/, /cluster failed/],
    },
    {
      name: "resources that cover each other",
      bridge:
        "cluster: dev\nresources:\n  - { apiVersion: v1, kind: Pod }\n  - { apiVersion: v1, kind: Pod, namespaces: [a] }\n",
      code: 2,
      expected: [/failed: \S+:4:\d+ resources\[1\]: Pod of v1 is covered by an earlier entry/],
    },
    {
      name: "a password where only its source may stand",
      bridge: bridgeText(`nats: { password: ${SECRET}, servers: "nats://user:${SECRET}@h" }`),
      code: 2,
      expected: [/nats\.password: expected \{ env: NAME \}/, /nats\.servers: expected a list/],
    },
    {
      name: "a function that does not exist",
      subscriptions: "subscriptions:\n  - { name: a, function: notify-slak, apiVersion: v1, kind: Pod }\n",
      code: 2,
      expected: [
        /failed: \S+:2:\d+ .*there is no function "notify-slak" \(did you mean "notify-slack"\?\)/,
        /cluster skipped: cluster: functions need none/,
      ],
    },
    {
      name: "a function's file that is not there",
      subscriptions: "subscriptions:\n  - { name: a, function: ./none.ts, apiVersion: v1, kind: Pod }\n",
      code: 2,
      expected: [/failed: \S+:2:\d+ .*the function "\.\/none\.ts" cannot be loaded/],
    },
    {
      name: "secrets that are not set, wherever they are named",
      bridge: bridgeText("nats: { user: u, password: { env: NOT_SET_1 }, tls: { caFile: /none/ca.pem } }"),
      subscriptions: `subscriptions:
  - { name: slack, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, config: { webhookUrl: { env: NOT_SET_2 } } }
  - { name: flow, function: trigger-workflow, apiVersion: demo.example.com/v1, kind: Database,
      config: { target: { type: http, url: "http://h/", headers: { x-key: { file: /none/key } } }, parameters: { env: object.spec.env } } }
`,
      code: 1,
      expected: [
        /failed: \S+ nats\.password: the environment variable NOT_SET_1 is not set → export NOT_SET_1=…/,
        /failed: slack\.webhookUrl: the environment variable NOT_SET_2 is not set → export NOT_SET_2=…/,
        /failed: flow\.target\.headers\.x-key: the file \/none\/key .*cannot be read → write the secret to \/none\/key/,
        /failed: nats\.tls\.caFile: \/none\/ca\.pem cannot be read → check the path/,
      ],
    },
    {
      name: "a subscription to what the bridge does not capture never fires",
      bridge: bridgeText("", resource(", namespaces: [prod]")),
      subscriptions: `subscriptions:
  - { name: kind, function: notify-slack, apiVersion: demo.example.com/v1, kind: Databases, config: { webhookUrl: { env: SECRET } } }
  - { name: group, function: notify-slack, apiVersion: db.example.com/v1, kind: Database, config: { webhookUrl: { env: SECRET } } }
  - { name: version, function: notify-slack, apiVersion: demo.example.com/v2, kind: Database, config: { webhookUrl: { env: SECRET } } }
  - { name: cluster, function: notify-slack, cluster: prod, apiVersion: demo.example.com/v1, kind: Database, config: { webhookUrl: { env: SECRET } } }
  - { name: namespace, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { namespaces: [staging] }, config: { webhookUrl: { env: SECRET } } }
  - { name: fine, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { namespaces: [prod] }, config: { webhookUrl: { env: SECRET } } }
`,
      code: 1,
      expected: [
        /warning: kind never fires: \S+ captures no Databases of demo\.example\.com\/v1 \(did you mean "Database"\?\) → resources: add/,
        /warning: group never fires: .*\(it captures Database of demo\.example\.com\/v1\)/,
        /warning: version never fires: events are of demo\.example\.com\/v1, and it asks for demo\.example\.com\/v2 → apiVersion: demo\.example\.com\/v1/,
        /warning: cluster never fires: it waits for cluster prod, and \S+ is cluster dev/,
        /warning: namespace never fires: Database is captured in prod only/,
      ],
    },
    {
      name: "a subscription to a kind that a pattern captures fires, where the pattern reaches",
      bridge:
        'cluster: dev\nresources:\n  - { apiVersion: "*.example.com/*", kind: "*", namespaces: [prod] }\nnats: { servers: ["nats://127.0.0.1:1"] }\n',
      subscriptions: `subscriptions:
  - { name: fine, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { namespaces: [prod] }, config: { webhookUrl: { env: SECRET } } }
  - { name: namespace, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { namespaces: [staging] }, config: { webhookUrl: { env: SECRET } } }
  - { name: group, function: notify-slack, apiVersion: demo.other.org/v1, kind: Database, config: { webhookUrl: { env: SECRET } } }
`,
      code: 1,
      expected: [
        /warning: namespace never fires: Database is captured in prod only/,
        /warning: group never fires: \S+ captures no Database of demo\.other\.org\/v1/,
      ],
    },
  ];
  for (const { name, bridge, subscriptions, code, expected } of cases) {
    test(name, async (t) => {
      const args = [
        ...(bridge === undefined ? [] : ["--config", file(t, "bridge.yaml", bridge)]),
        ...(subscriptions === undefined ? [] : ["--subscriptions", file(t, "subs.yaml", subscriptions)]),
      ];
      const found = await doctor(args);
      for (const line of expected) assert.match(found.text, line);
      assert.equal(found.code, code, found.text);
      assert.doesNotMatch(found.text, /fine never fires|object\.spec/);
    });
  }

  test("a file that is not there is told, and is no mistake in a file", async () => {
    const { code, text } = await doctor(["--config", "nowhere.yaml"]);
    assert.equal(code, 1);
    assert.match(text, /configuration failed: nowhere\.yaml does not exist → check the path/);
  });
});

describe("the secrets of a function's settings", () => {
  const Tree = z.object({
    token: SecretSource.optional(),
    get children() {
      return z.array(Tree).optional();
    },
  });
  const cases = [
    {
      name: "are found where the schema says so",
      schema: z.object({ a: SecretSource }),
      value: { a: { env: "A" } },
      expected: ["x.a"],
    },
    {
      name: "are found in maps that take plain text as well",
      schema: z.record(z.string(), z.union([z.string(), SecretSource])),
      value: { a: "b", c: { file: "/d" } },
      expected: ["x.c"],
    },
    {
      name: "are found below themselves",
      schema: Tree,
      value: { children: [{}, { token: { env: "A" } }] },
      expected: ["x.children[1].token"],
    },
    {
      name: "are not taken for what only looks like one",
      schema: z.record(z.string(), z.string()),
      value: { env: "prod" },
      expected: [],
    },
    {
      name: "are not taken for a map of the user's own",
      schema: z.object({ labels: z.record(z.string(), z.string()) }),
      value: { labels: { env: "prod" } },
      expected: [],
    },
  ];
  for (const { name, schema, value, expected } of cases) {
    test(name, () => {
      assert.deepEqual(
        secretsOf(schema, value, "x").map(({ where }) => where),
        expected,
      );
    });
  }
});

test("an old Node is told with the version that is needed", () => {
  assert.deepEqual(
    [
      checkNode("22.20.0", ">=24.12"),
      checkNode("24.11.9", ">=24.12"),
      checkNode("24.12.0", ">=24.12"),
      checkNode("26.0.0", ">=24.12"),
    ].map(({ status }) => status),
    ["failed", "failed", "ok", "ok"],
  );
});
