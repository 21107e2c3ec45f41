/** `metadata.managedFields`: who last wrote which field, as every write records it; a change's actor is read from here. */
import { conformCases } from "./case.ts";
import { accepted, type RawOptions } from "./raw.ts";
import { owners, patch, put } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "managed.conformance.example.com";

/** Who owns what of the Widget as it is now. */
const managers = async (desk: Desk) => owners(await desk.now());

const create = (desk: Desk, spec: object, options: RawOptions = {}, parts: Record<string, unknown> = {}) =>
  desk
    .send("POST", desk.path(), { body: desk.widget(spec, parts), ...options })
    .then((answer) => accepted(answer, 201));

const patchAs = async (desk: Desk, fieldManager: string, body: unknown, subresource?: string) =>
  accepted(await patch(desk, body, { query: { fieldManager }, ...(subresource && { subresource }) }));

conformCases("managedFields", GROUP, [
  {
    name: "an entry tells manager, operation, version and time",
    run: async (desk) => {
      const { managedFields } = (await create(desk, { size: 1 }, { query: { fieldManager: "me" } })).metadata;
      return (managedFields as readonly { readonly time: string }[]).map(({ time, ...entry }) => ({
        ...entry,
        time: /^\d{4}-.*Z$/.test(time),
      }));
    },
    expected: [
      {
        apiVersion: "managed.conformance.example.com/v1",
        fieldsType: "FieldsV1",
        fieldsV1: { "f:spec": { ".": {}, "f:color": {}, "f:size": {} } },
        manager: "me",
        operation: "Update",
        time: true,
      },
    ],
  },
  {
    name: "without a fieldManager it is the first part of the User-Agent",
    run: async (desk) => {
      await create(desk, { size: 1 }, { userAgent: "my-tool/1.2 (linux) rest" });
      return (await managers(desk)).map(({ by }) => by);
    },
    expected: ["my-tool Update"],
  },
  {
    name: "lists with keys and sets are recorded by item, atomic ones as a whole",
    run: async (desk) => {
      await create(desk, { size: 1, ports: [{ name: "a", port: 1 }], tags: ["x"], args: ["y"], whole: { a: "z" } });
      return managers(desk);
    },
    expected: [
      {
        by: "conformance Update",
        fieldsV1: {
          "f:spec": {
            ".": {},
            "f:args": {},
            "f:color": {},
            "f:ports": { ".": {}, 'k:{"name":"a"}': { ".": {}, "f:name": {}, "f:port": {}, "f:protocol": {} } },
            "f:size": {},
            "f:tags": { ".": {}, 'v:"x"': {} },
            "f:whole": {},
          },
        },
      },
    ],
  },
  {
    name: "maps are recorded by key, open objects by field",
    run: async (desk) => {
      await create(desk, { size: 1, limits: { a: 1 }, free: { b: { c: [1] } } });
      return managers(desk);
    },
    expected: [
      {
        by: "conformance Update",
        fieldsV1: {
          "f:spec": {
            ".": {},
            "f:color": {},
            "f:free": { ".": {}, "f:b": { ".": {}, "f:c": {} } },
            "f:limits": { ".": {}, "f:a": {} },
            "f:size": {},
          },
        },
      },
    ],
  },
  {
    name: "labels, annotations and finalizers are recorded, what the server sets is not",
    run: async (desk) => {
      await create(
        desk,
        { size: 1 },
        {},
        { metadata: { labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["x.example.com/f"] } },
      );
      return managers(desk);
    },
    expected: [
      {
        by: "conformance Update",
        fieldsV1: {
          "f:metadata": {
            "f:annotations": { ".": {}, "f:c": {} },
            "f:finalizers": { ".": {}, 'v:"x.example.com/f"': {} },
            "f:labels": { ".": {}, "f:a": {} },
          },
          "f:spec": { ".": {}, "f:color": {}, "f:size": {} },
        },
      },
    ],
  },
  {
    name: "a field moves to who changed it",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab" }, { query: { fieldManager: "first" } });
      await patchAs(desk, "second", { spec: { size: 2 } });
      return managers(desk);
    },
    expected: [
      { by: "first Update", fieldsV1: { "f:spec": { ".": {}, "f:code": {}, "f:color": {} } } },
      { by: "second Update", fieldsV1: { "f:spec": { "f:size": {} } } },
    ],
  },
  {
    name: "a field that is written with the same value does not move",
    run: async (desk) => {
      await create(desk, { size: 1 }, { query: { fieldManager: "first" } });
      await patchAs(desk, "second", { spec: { size: 1 } });
      return managers(desk);
    },
    expected: [{ by: "first Update", fieldsV1: { "f:spec": { ".": {}, "f:color": {}, "f:size": {} } } }],
  },
  {
    name: "who has no field left has no entry",
    run: async (desk) => {
      await create(desk, { size: 1 }, { query: { fieldManager: "first" } });
      await patchAs(desk, "second", { spec: { code: "ab" } });
      await patchAs(desk, "third", { spec: { code: "cd" } });
      return (await managers(desk)).map(({ by }) => by);
    },
    expected: ["first Update", "third Update"],
  },
  {
    name: "a removed field is nobody's",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab" }, { query: { fieldManager: "first" } });
      await patchAs(desk, "second", { spec: { code: null } });
      return managers(desk);
    },
    expected: [{ by: "first Update", fieldsV1: { "f:spec": { ".": {}, "f:color": {}, "f:size": {} } } }],
  },
  {
    name: "the status has an entry of its own",
    run: async (desk) => {
      await create(desk, { size: 1 }, { query: { fieldManager: "same" } });
      await patchAs(
        desk,
        "same",
        { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
        "status",
      );
      return managers(desk);
    },
    expected: [
      { by: "same Update", fieldsV1: { "f:spec": { ".": {}, "f:color": {}, "f:size": {} } } },
      {
        by: "same Update status",
        fieldsV1: {
          "f:status": {
            ".": {},
            "f:conditions": { ".": {}, 'k:{"type":"Ready"}': { ".": {}, "f:status": {}, "f:type": {} } },
            "f:phase": {},
          },
        },
      },
    ],
  },
  {
    name: "a PUT records its manager",
    run: async (desk) => {
      const before = await create(desk, { size: 1 }, { query: { fieldManager: "first" } });
      accepted(await put(desk, { ...before, spec: { size: 2 } }, { query: { fieldManager: "second" } }));
      return managers(desk);
    },
    expected: [
      { by: "first Update", fieldsV1: { "f:spec": { ".": {}, "f:color": {} } } },
      { by: "second Update", fieldsV1: { "f:spec": { "f:size": {} } } },
    ],
  },
  {
    name: "a PUT without managedFields keeps them",
    run: async (desk) => {
      const { metadata, ...rest } = await create(desk, { size: 1 }, { query: { fieldManager: "first" } });
      const { managedFields: _, ...kept } = metadata;
      accepted(
        await put(desk, { ...rest, metadata: { ...kept, labels: { a: "b" } } }, { query: { fieldManager: "second" } }),
      );
      return (await managers(desk)).map(({ by }) => by);
    },
    expected: ["first Update", "second Update"],
  },
  {
    name: "managedFields with one empty entry in a PUT reset them",
    run: async (desk) => {
      const before = await create(desk, { size: 1 }, { query: { fieldManager: "first" } });
      accepted(
        await put(
          desk,
          { ...before, metadata: { ...before.metadata, managedFields: [{}] } },
          { query: { fieldManager: "second" } },
        ),
      );
      return managers(desk);
    },
    expected: [],
  },
  {
    name: "a manager's name of more than 128 characters is refused",
    run: async (desk) => {
      const answer = await desk.send("POST", desk.path(), {
        body: desk.widget(),
        query: { fieldManager: "x".repeat(129) },
      });
      return {
        status: answer.status,
        reason: answer.body["reason"],
        causes: answer.body["details"]?.causes?.map(
          (cause: { field: string; reason: string }) => `${cause.reason} ${cause.field}`,
        ),
      };
    },
    expected: { status: 422, reason: "Invalid", causes: ["FieldValueTooLong fieldManager"] },
  },
]);
