import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { BridgeConfig } from "../../bridge/config.ts";
import { parseYamlConfig } from "../../bridge/yaml-config.ts";

const read = (text: string) => parseYamlConfig(BridgeConfig, text, "bridge.yaml");

describe("the bridge's configuration", () => {
  test("needs a cluster and a resource, and nothing else", () => {
    const config = read("cluster: dev\nresources:\n  - apiVersion: demo.example.com/v1\n    kind: Database\n");
    assert.deepEqual(config.resources[0], {
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      ignore: [],
      only: [],
      critical: [],
      redact: [],
      metrics: [],
      diverged: [],
    });
    assert.deepEqual(config.streams, {
      replicas: 1,
      eventsBytesMax: 4 * 1024 ** 3,
      blobsBytesMax: 1024 ** 3,
      compression: "none",
      eventsPerSubjectMax: 32,
      deletedDays: 7,
    });
    assert.deepEqual(config.health, { port: 8080 });
  });

  test("is as the README of this room shows it", () => {
    const readme = readFileSync(join(import.meta.dirname, "../../bridge/README.md"), "utf8");
    const [example = ""] = /(?:^ {4}.*\n)+/m.exec(readme.slice(readme.indexOf("## Which resources"))) ?? [];
    const config = read(`cluster: dev\n${example.replace(/^ {4}/gm, "")}`);
    assert.ok(config.resources.length >= 4 && config.resources.some(({ redact }) => redact.length > 0));
  });

  test("takes the metrics as the README of this room shows them", () => {
    const readme = readFileSync(join(import.meta.dirname, "../../bridge/README.md"), "utf8");
    const [example = ""] = /(?:^ {4}.*\n)+/m.exec(readme.slice(readme.indexOf("## Metrics and status"))) ?? [];
    const config = read(
      `cluster: dev\nresources:\n  - apiVersion: demo.example.com/v1\n    kind: Database\n${example}`,
    );
    assert.deepEqual(config.resources[0]?.metrics[0]?.labels, { engine: "spec.engine" });
    assert.equal(config.resources[0]?.diverged.length, 1);
  });

  const resource = "{apiVersion: demo.example.com/v1, kind: Database";
  const rows = [
    {
      name: "an unknown key, with the one that was meant",
      text: `cluster: dev\nresources:\n  - apiVersion: demo.example.com/v1\n    kind: Database\n    namespace: [a]\n`,
      expected: /^bridge\.yaml:5:5 resources\[0\]\.namespace: unknown key \(did you mean "namespaces"\?\)/,
    },
    {
      name: "a cluster name that no subject could carry",
      text: `cluster: Prod EU\nresources: [${resource}}]\n`,
      expected: /^bridge\.yaml:1:10 cluster: expected 1 to 63 of a-z, 0-9 and -/,
    },
    {
      name: "a plural where a kind is expected",
      text: `cluster: dev\nresources:\n  - {apiVersion: demo.example.com/v1, kind: databases}\n`,
      expected: /:3:\d+ resources\[0\]\.kind: expected a kind such as Database/,
    },
    {
      name: "a label selector that cannot be read",
      text: `cluster: dev\nresources: [${resource}, labelSelector: 'tier in (gold,silver),a=b=c'}]\n`,
      expected:
        /^bridge\.yaml:2:\d+ resources\[0\]\.labelSelector: "a=b=c" is no requirement of a label selector: expected key/,
    },
    {
      name: "a field selector that cannot be read",
      text: `cluster: dev\nresources: [${resource}, fieldSelector: 'spec.tier'}]\n`,
      expected: /resources\[0\]\.fieldSelector: "spec\.tier" is no term of a field selector: expected field=value/,
    },
    {
      name: "namespaces by name and by label",
      text: `cluster: dev\nresources: [${resource}, namespaces: [a], namespaceSelector: 'team=a'}]\n`,
      expected: /resources\[0\]\.namespaceSelector: namespaces are named already/,
    },
    {
      name: "two entries for the same objects, whatever they select",
      text: `cluster: dev\nresources:\n  - ${resource}, labelSelector: a=b}\n  - ${resource}, labelSelector: a!=b}\n`,
      expected: /:4:\d+ resources\[1\]: .*covered by an earlier entry/,
    },
    { name: "no resources", text: "cluster: dev\nresources: []\n", expected: /:2:\d+ resources:/ },
    {
      name: "two entries for the same objects",
      text: `cluster: dev\nresources:\n  - ${resource}}\n  - ${resource}, namespaces: [a]}\n`,
      expected: /:4:\d+ resources\[1\]: .*covered by an earlier entry/,
    },
    {
      name: "a phase that is no path",
      text: `cluster: dev\nresources: [${resource}, phase: 'condition:'}]\n`,
      expected: /resources\[0\]\.phase: .*condition:Ready/,
    },
    {
      name: "an ignored path that cannot be read",
      text: `cluster: dev\nresources: [${resource}}]\nignore: ['a[']\n`,
      expected: /ignore\[0\]: .*cannot be read/,
    },
    {
      name: "values to redact and no key for their marks",
      text: `cluster: dev\nresources: [${resource}, redact: [spec.password]}]\n`,
      expected: /redactionKey: needed where values are redacted .* as \{ env: NAME \} or \{ file: \/path \}/,
    },
    {
      name: "Secrets and no key for their marks",
      text: "cluster: dev\nresources: [{apiVersion: v1, kind: Secret}]\n",
      expected: /redactionKey: needed where values are redacted/,
    },
    {
      name: "a password in the file",
      text: `cluster: dev\nresources: [${resource}}]\nnats: {user: u, password: hunter2}\n`,
      expected: /nats\.password: (?!.*hunter2).*\{ env: NAME \}/,
    },
  ];
  for (const { name, text, expected } of rows) {
    test(`refuses ${name}`, () =>
      assert.throws(
        () => read(text),
        (error) =>
          error instanceof Error && "code" in error && error.code === "CONFIG_INVALID" && expected.test(error.message),
      ));
  }

  test("allows one kind in different namespaces, and one kind of different groups", () => {
    read(
      `cluster: dev\nresources:\n  - ${resource}, namespaces: [a]}\n  - ${resource}, namespaces: [b]}\n  - {apiVersion: other.example.com/v1, kind: Database}\n`,
    );
  });

  test("has a JSON Schema for editors", () => {
    const schema = z.toJSONSchema(BridgeConfig, { io: "input" });
    assert.deepEqual(schema.required, ["cluster", "resources"]);
    assert.equal(schema.additionalProperties, false);
  });
});
