import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResourceEntry } from "../../../bridge/capture/resource-entry.ts";
import { selectWatches } from "../../../bridge/capture/selection.ts";
import type { ServedResource } from "../../../bridge/kube/discovery.ts";

const served = (apiVersion: string, kind: string, namespaced = true): ServedResource => {
  return { apiVersion, kind, plural: `${kind.toLowerCase()}s`, namespaced };
};
const preferred = [
  served("v1", "Pod"),
  served("v1", "Secret"),
  served("apps/v1", "Deployment"),
  served("a.example.com/v2", "Apple"),
  served("b.example.com/v1", "Bean"),
  served("b.example.com/v1", "Zone", false),
  served("example.com/v1", "Root"),
  served("notexample.com/v1", "Other"),
];
const all = [...preferred, served("a.example.com/v1", "Apple")];
const catalog = {
  preferred,
  find: (apiVersion: string, kind: string) => all.find((each) => each.apiVersion === apiVersion && each.kind === kind),
};
const example = ["Apple v2", "Bean v1", "Zone v1", "Root v1"];

describe("an entry selects", () => {
  const rows: { name: string; entries: object[]; watches: string[]; missing?: string[] }[] = [
    {
      name: "the kind that it names",
      entries: [{ apiVersion: "b.example.com/v1", kind: "Bean" }],
      watches: ["Bean v1"],
    },
    {
      name: "a kind in another version than the preferred one",
      entries: [{ apiVersion: "a.example.com/v1", kind: "Apple" }],
      watches: ["Apple v1"],
    },
    {
      name: "nothing yet, when its kind is not served",
      entries: [{ apiVersion: "c.example.com/v1", kind: "Cat" }],
      watches: [],
      missing: ["Cat"],
    },
    {
      name: "every kind of the groups that end so, in the preferred version",
      entries: [{ apiVersion: "*.example.com/*", kind: "*" }],
      watches: example,
    },
    { name: "one kind in any group", entries: [{ apiVersion: "*/*", kind: "Other" }], watches: ["Other v1"] },
    {
      name: "every group but Kubernetes' own",
      entries: [{ apiVersion: "*/*", kind: "*" }],
      watches: [...example, "Other v1"],
    },
    {
      name: "every kind of the core group but Secrets",
      entries: [{ apiVersion: "v1", kind: "*" }],
      watches: ["Pod v1"],
    },
    { name: "Secrets by their name", entries: [{ apiVersion: "v1", kind: "Secret" }], watches: ["Secret v1"] },
    {
      name: "a version of its own for a pattern",
      entries: [{ apiVersion: "*.example.com/v1", kind: "*" }],
      watches: ["Apple v1", "Bean v1", "Zone v1", "Root v1"],
    },
    {
      name: "a watch for each namespace, and one for a kind without namespaces",
      entries: [{ apiVersion: "b.example.com/v1", kind: "*", namespaces: ["x", "y"] }],
      watches: ["Bean v1 in x", "Bean v1 in y", "Zone v1"],
    },
    {
      name: "what it names before any pattern, with its own settings",
      entries: [
        { apiVersion: "*/*", kind: "*" },
        { apiVersion: "a.example.com/v1", kind: "Apple", namespaces: ["x"] },
      ],
      watches: ["Apple v1 in x", "Bean v1", "Zone v1", "Root v1", "Other v1"],
    },
    {
      name: "each kind once, by the first of two patterns",
      entries: [
        { apiVersion: "*.example.com/*", kind: "*", namespaces: ["x"] },
        { apiVersion: "b.example.com/*", kind: "*", namespaces: ["x", "y"] },
      ],
      watches: ["Apple v2 in x", "Bean v1 in x", "Zone v1", "Root v1 in x"],
    },
  ];
  for (const { name, entries, watches, missing = [] } of rows) {
    test(name, () => {
      const selection = selectWatches(
        entries.map((entry) => ResourceEntry.parse(entry)),
        catalog,
      );
      const titles = selection.watches.map(({ resource, namespace }) => {
        const version = resource.apiVersion.replace(/^.*\//, "");
        return `${resource.kind} ${version}${namespace === undefined ? "" : ` in ${namespace}`}`;
      });
      assert.deepEqual(titles, watches);
      assert.deepEqual(
        selection.missing.map(({ kind }) => kind),
        missing,
      );
    });
  }
});
