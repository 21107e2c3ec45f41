import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { ConfigError, parseYamlConfig } from "../../bridge/yaml-config.ts";

const Filter = z.strictObject({
  phase: z.strictObject({ to: z.union([z.string(), z.array(z.string())]).optional() }).optional(),
  get all() {
    return z.array(Filter).min(1).optional();
  },
});
const Secret = z.union([z.strictObject({ env: z.string() }), z.strictObject({ file: z.string() })], {
  error: "expected { env: NAME } or { file: /path }",
});
const Config = z.strictObject({
  cluster: z.string().regex(/^[a-z0-9-]+$/, "expected lower-case letters, digits and -"),
  resources: z
    .array(z.strictObject({ apiVersion: z.string(), kind: z.string(), when: Filter.optional() }))
    .min(1, "name at least one resource"),
  start: z.enum(["now", "all"]).default("now"),
  concurrency: z.int().min(1).max(256).default(16),
  token: Secret.optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

const valid = "cluster: prod\nresources:\n  - apiVersion: v1\n    kind: Pod\n";

/** Nine aliases of nine aliases … : the "billion laughs". */
const bomb = [
  "a: &a [x]",
  ..."bcdefghi".split("").map((name, i) => `${name}: &${name} [${`*${"abcdefgh"[i]},`.repeat(9)}]`),
];

const broken: { name: string; text: string; expected: string[] }[] = [
  {
    name: "an unknown key is told with the nearest known one",
    text: `${valid}concurency: 4\n`,
    expected: ['f.yaml:5:1 concurency: unknown key (did you mean "concurrency"?)'],
  },
  {
    name: "an unknown key deep in a list is found, with its own line",
    text: "cluster: prod\nresources:\n  - apiVersion: v1\n    kind: Pod\n    knd: Pod\n",
    expected: ['f.yaml:5:5 resources[0].knd: unknown key (did you mean "kind"?)'],
  },
  {
    name: "an unknown key that is near to nothing is told with all known ones",
    text: "cluster: prod\nresources:\n  - { apiVersion: v1, kind: Pod, zzzzzz: 1 }\n",
    expected: ["f.yaml:3:34 resources[0].zzzzzz: unknown key: known are apiVersion, kind, when"],
  },
  {
    name: "an unknown key inside a recursive schema is found",
    text: `${valid}    when:\n      all:\n        - phse: { to: Failed }\n`,
    expected: ['f.yaml:7:11 resources[0].when.all[0].phse: unknown key (did you mean "phase"?)'],
  },
  {
    name: "a wrong type is told with what it is",
    text: `${valid}concurrency: many\n`,
    expected: ['f.yaml:5:14 concurrency: expected a number, got "many"'],
  },
  {
    name: "a wrong type in a choice names every choice",
    text: `${valid}    when: { phase: { to: 5 } }\n`,
    expected: ["f.yaml:5:26 resources[0].when.phase.to: expected a string or a list, got 5"],
  },
  {
    name: "a password in a URL is not shown",
    text: `${valid}concurrency: nats://user:secret@nats:4222\n`,
    expected: ['f.yaml:5:14 concurrency: expected a number, got "nats://nats:4222"'],
  },
  {
    name: "an unknown word is told with the known ones",
    text: `${valid}start: yesterday\n`,
    expected: ['f.yaml:5:8 start: expected "now" or "all", got "yesterday"'],
  },
  {
    name: "a schema's own sentence is kept",
    text: `${valid}token: secret-in-the-open\n`,
    expected: ["f.yaml:5:8 token: expected { env: NAME } or { file: /path }"],
  },
  {
    name: "a missing field is told where its parent begins",
    text: "cluster: prod\nresources:\n  - kind: Pod\n",
    expected: ["f.yaml:3:5 resources[0].apiVersion: is missing: add it (expected a string)"],
  },
  {
    name: "an empty file lacks everything",
    text: "",
    expected: ["f.yaml:1:1: expected a map, got null"],
  },
  {
    name: "a key with a dot is shown in brackets",
    text: `${valid}labels:\n  app.kubernetes.io/name: 5\n`,
    expected: ['f.yaml:6:27 labels["app.kubernetes.io/name"]: expected a string, got 5'],
  },
  {
    name: "several problems come at once, in the order of the file",
    text: "cluster: Prod!\nresources: []\nstart: x\nnope: 1\n",
    expected: [
      "f.yaml:1:10 cluster: expected lower-case letters, digits and -",
      "f.yaml:2:12 resources: name at least one resource",
      'f.yaml:3:8 start: expected "now" or "all", got "x"',
      "f.yaml:4:1 nope: unknown key: known are cluster, resources, start, concurrency, token, labels",
    ],
  },
  {
    name: "a key that is written twice is refused",
    text: `${valid}cluster: dev\n`,
    expected: ["f.yaml:5:1: this key is here twice: keep one of them"],
  },
];

describe("parseYamlConfig", () => {
  test("gives the value of a valid file, with defaults and anchors", () => {
    const text = `cluster: &c prod\nresources:\n  - &r { apiVersion: v1, kind: Pod }\n  - *r\nlabels: { c: *c }\n`;
    assert.deepEqual(parseYamlConfig(Config, text, "f.yaml"), {
      cluster: "prod",
      resources: [
        { apiVersion: "v1", kind: "Pod" },
        { apiVersion: "v1", kind: "Pod" },
      ],
      start: "now",
      concurrency: 16,
      labels: { c: "prod" },
    });
  });

  for (const { name, text, expected } of broken) {
    test(name, () => {
      assert.deepEqual(messageOf(text).split("\n"), expected);
    });
  }

  test("text that is no YAML is told with its line", () => {
    assert.match(messageOf("cluster: prod\nresources: [\n"), /^f\.yaml:3:1: not valid YAML: /);
    assert.match(messageOf("cluster: prod\n\tresources: 1\n"), /^f\.yaml:2:\d+: not valid YAML: .*[Tt]ab/);
  });

  test("a problem behind an alias is told, and is not taken for a missing field", () => {
    assert.match(
      messageOf(`${valid}labels: &l { a: 1 }\ntoken: *l\n`),
      /f\.yaml:5:17 labels\.a: expected a string, got 1/,
    );
  });

  test("aliases that multiply are refused before they fill the memory", () => {
    assert.match(messageOf(bomb.join("\n")), /^f\.yaml:1:1: aliases \(\*name\): /);
  });

  test("a file that is far too large is refused unread", () => {
    assert.match(messageOf(`cluster: ${"x".repeat(2 ** 20)}`), /larger than 1024 KiB/);
  });

  test("keys of JavaScript's own objects are unknown keys like any other", () => {
    assert.match(messageOf(`${valid}constructor: 1\n`), /f\.yaml:5:1 constructor: unknown key/);
    assert.match(messageOf(`${valid}__proto__: { start: all }\n`), /f\.yaml:5:1 __proto__: unknown key/);
  });
});

function messageOf(text: string): string {
  try {
    parseYamlConfig(Config, text, "f.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message;
  }
  return assert.fail("the text was accepted");
}
