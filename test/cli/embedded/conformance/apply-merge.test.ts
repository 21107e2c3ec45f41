/** Server-side apply: who owns what, how lists and maps are merged, and what goes away when it is no longer applied. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { apply, owners, patch } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "apply-merge.conformance.example.com";

const applied = async (...given: Parameters<typeof apply>) => accepted(await apply(...given));

const create = async (...given: Parameters<typeof apply>) => accepted(await apply(...given), 201);

const merge = async (desk: Desk, body: object, fieldManager: string) =>
  accepted(await patch(desk, body, { query: { fieldManager } }));

conformCases("What is applied by several", GROUP, [
  {
    name: "two managers own different fields",
    run: async (desk) => {
      await create(desk, { size: 1 });
      return owners(await applied(desk, { code: "ab" }, { by: "you" }));
    },
    expected: [
      { by: "me Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
      { by: "you Apply", fieldsV1: { "f:spec": { "f:code": {} } } },
    ],
  },
  {
    name: "the same value is owned by both",
    run: async (desk) => {
      await create(desk, { size: 1 });
      return owners(await applied(desk, { size: 1 }, { by: "you" }));
    },
    expected: [
      { by: "me Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
      { by: "you Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
    ],
  },
  {
    name: "a field that is no longer applied goes away",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab", nested: { a: "x", b: "y" } });
      return (await applied(desk, { size: 1, nested: { a: "x" } }))["spec"];
    },
    expected: { color: "green", nested: { a: "x" }, size: 1 },
  },
  {
    name: "a field that is no longer applied stays where somebody else owns it too",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab" });
      await applied(desk, { code: "ab" }, { by: "you" });
      return (await applied(desk, { size: 1 }))["spec"];
    },
    expected: { code: "ab", color: "green", size: 1 },
  },
  {
    name: "a field that was never applied stays",
    run: async (desk) => {
      await create(desk, { size: 1 });
      await merge(desk, { spec: { code: "ab" } }, "editor");
      return (await applied(desk, { size: 1 }))["spec"];
    },
    expected: { code: "ab", color: "green", size: 1 },
  },
  {
    name: "a default comes back when the field is no longer applied",
    run: async (desk) => {
      await create(desk, { size: 1, color: "red" });
      return (await applied(desk, { size: 1 }))["spec"];
    },
    expected: { color: "green", size: 1 },
  },
  {
    name: "a keyed list is merged by key, and each manager takes away only its own items",
    run: async (desk) => {
      await create(desk, {
        size: 1,
        ports: [
          { name: "a", port: 1 },
          { name: "b", port: 2 },
        ],
      });
      const both = await applied(desk, { ports: [{ name: "c", port: 3 }] }, { by: "you" });
      const less = await applied(desk, { size: 1, ports: [{ name: "b", port: 2 }] });
      return { both: both["spec"].ports, less: less["spec"].ports };
    },
    expected: {
      both: [
        { name: "a", port: 1, protocol: "TCP" },
        { name: "b", port: 2, protocol: "TCP" },
        { name: "c", port: 3, protocol: "TCP" },
      ],
      less: [
        { name: "b", port: 2, protocol: "TCP" },
        { name: "c", port: 3, protocol: "TCP" },
      ],
    },
  },
  {
    name: "a field of an item is merged",
    run: async (desk) => {
      await create(desk, { size: 1, ports: [{ name: "a", port: 1 }] });
      return (await applied(desk, { ports: [{ name: "a", protocol: "UDP" }] }, { by: "you", force: true }))["spec"]
        .ports;
    },
    expected: [{ name: "a", port: 1, protocol: "UDP" }],
  },
  {
    name: "a set is merged by its items",
    run: async (desk) => {
      await create(desk, { size: 1, tags: ["a", "b"] });
      const both = await applied(desk, { tags: ["c", "a"] }, { by: "you" });
      const less = await applied(desk, { size: 1, tags: ["b"] });
      return { both: both["spec"].tags, less: less["spec"].tags };
    },
    expected: { both: ["c", "a", "b"], less: ["c", "a", "b"] },
  },
  {
    name: "an atomic list is replaced as a whole",
    run: async (desk) => {
      await create(desk, { size: 1, args: ["a", "b"] });
      return {
        conflict: refusal(await apply(desk, { args: ["c"] }, { by: "you" })).message,
        forced: (await applied(desk, { args: ["c"] }, { by: "you", force: true }))["spec"].args,
      };
    },
    expected: { conflict: 'Apply failed with 1 conflict: conflict with "me": .spec.args', forced: ["c"] },
  },
  {
    name: "an atomic object is replaced as a whole",
    run: async (desk) => {
      await create(desk, { size: 1, whole: { a: "x", b: "y" } });
      return (await applied(desk, { size: 1, whole: { a: "z" } }))["spec"].whole;
    },
    expected: { a: "z" },
  },
  {
    name: "an open object and a map are merged by field",
    run: async (desk) => {
      await create(desk, { size: 1, free: { a: { b: 1 } }, limits: { x: 1 } });
      return (await applied(desk, { free: { a: { c: 2 } }, limits: { y: 2 } }, { by: "you" }))["spec"];
    },
    expected: { color: "green", free: { a: { b: 1, c: 2 } }, limits: { x: 1, y: 2 }, size: 1 },
  },
  {
    name: "labels are merged, and taken away by their owner only",
    run: async (desk) => {
      await create(desk, { size: 1 }, { parts: { metadata: { labels: { a: "1" } } } });
      await applied(desk, {}, { by: "you", parts: { metadata: { labels: { b: "2" } } } });
      return (await applied(desk, { size: 1 })).metadata.labels;
    },
    expected: { b: "2" },
  },
  {
    name: "who applies nothing any more has no entry",
    run: async (desk) => {
      await create(desk, { size: 1 });
      await applied(desk, { code: "ab" }, { by: "you" });
      return owners(await applied(desk, undefined, { by: "you" })).map(({ by }) => by);
    },
    expected: ["me Apply"],
  },
]);
