/** ConfigMaps, for what all built-in kinds have in common: strategic merge patch, and a PUT that needs no resourceVersion. */
import { conformCases } from "./case.ts";
import { configMap, created, patch, path, post, refusedOf, secret } from "./core-object.ts";
import { accepted, refusal } from "./raw.ts";
import { APPLY, MERGE, STRATEGIC } from "./verb.ts";

const GROUP = "config-map.conformance.example.com";

conformCases("ConfigMaps", GROUP, [
  {
    name: "a new one has no generation",
    run: async (desk) => {
      const { metadata, ...rest } = await created(desk, "configmaps", configMap({ data: { a: "1" } }));
      return { rest, fields: Object.keys(metadata).sort() };
    },
    expected: {
      rest: { kind: "ConfigMap", apiVersion: "v1", data: { a: "1" } },
      fields: ["creationTimestamp", "managedFields", "name", "namespace", "resourceVersion", "uid"],
    },
  },
  {
    name: "a strategic merge patch changes, adds and removes",
    run: async (desk) => {
      await created(desk, "configmaps", configMap({ data: { a: "1", b: "2" } }));
      return accepted(
        await patch(desk, path(desk, "configmaps", "one"), { data: { a: "3", b: null, c: "4" } }, STRATEGIC),
      )["data"];
    },
    expected: { a: "3", c: "4" },
  },
  {
    name: "a strategic merge patch replaces what it is told to replace",
    run: async (desk) => {
      await created(desk, "configmaps", configMap({ data: { a: "1", b: "2" } }));
      return accepted(
        await patch(desk, path(desk, "configmaps", "one"), { data: { $patch: "replace", c: "4" } }, STRATEGIC),
      )["data"];
    },
    expected: { c: "4" },
  },
  {
    name: "finalizers are merged by a strategic merge patch, and deleted from the list by name",
    run: async (desk) => {
      const metadata = { name: "one", finalizers: ["x.example.com/a"] };
      await created(desk, "configmaps", configMap({ metadata }));
      const target = path(desk, "configmaps", "one");
      const both = accepted(
        await patch(desk, target, { metadata: { finalizers: ["x.example.com/b"] } }, STRATEGIC),
      ).metadata;
      const one = accepted(
        await patch(
          desk,
          target,
          { metadata: { "$deleteFromPrimitiveList/finalizers": ["x.example.com/a"] } },
          STRATEGIC,
        ),
      ).metadata;
      return { both: both["finalizers"], one: one["finalizers"] };
    },
    expected: { both: ["x.example.com/b", "x.example.com/a"], one: ["x.example.com/b"] },
  },
  {
    name: "owner references are merged by uid",
    run: async (desk) => {
      const owner = (uid: string) => ({ apiVersion: "v1", kind: "ConfigMap", name: "x", uid });
      await created(desk, "configmaps", configMap({ metadata: { name: "one", ownerReferences: [owner("1")] } }));
      const after = accepted(
        await patch(desk, path(desk, "configmaps", "one"), { metadata: { ownerReferences: [owner("2")] } }, STRATEGIC),
      );
      return (after.metadata["ownerReferences"] as readonly { uid: string }[]).map(({ uid }) => uid).sort();
    },
    expected: ["1", "2"],
  },
  {
    name: "a value that is no text is refused",
    run: async (desk) => {
      const { code, reason } = await refusedOf("configmaps", configMap({ data: { a: 1 } }))(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "a key that is none is refused",
    run: refusedOf("configmaps", configMap({ data: { "a b": "1" } })),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        "ConfigMap \"one\" is invalid: data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      about: "ConfigMap one",
      causes: ["FieldValueInvalid data[a b]"],
    },
  },
  {
    name: "a name with an upper-case letter is refused",
    run: async (desk) => {
      const { code, about, causes } = await refusedOf("configmaps", configMap({ metadata: { name: "One" } }))(desk);
      return { code, about, causes };
    },
    expected: { code: 422, about: "ConfigMap One", causes: ["FieldValueInvalid metadata.name"] },
  },
  {
    name: "another kind is refused",
    run: async (desk) => {
      const { code, reason, message } = await refusedOf("configmaps", secret())(desk);
      return { code, reason, message: message.split(":")[0] };
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message: 'Secret in version "v1" cannot be handled as a ConfigMap',
    },
  },
  {
    name: "apiVersion and kind may be missing",
    run: async (desk) => {
      const { apiVersion, kind } = await created(desk, "configmaps", { metadata: { name: "one" } });
      return { apiVersion, kind };
    },
    expected: { apiVersion: "v1", kind: "ConfigMap" },
  },
  {
    name: "what is there already is refused",
    run: async (desk) => {
      await created(desk, "configmaps", configMap());
      return refusal(await post(desk, "configmaps", configMap()));
    },
    expected: {
      code: 409,
      reason: "AlreadyExists",
      message: 'configmaps "one" already exists',
      about: "configmaps one",
    },
  },
  {
    name: "what is immutable stays as it is",
    run: async (desk) => {
      await created(desk, "configmaps", configMap({ data: { a: "1" }, immutable: true }));
      return refusal(await patch(desk, path(desk, "configmaps", "one"), { data: { a: "2" } }, MERGE));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'ConfigMap "one" is invalid: data: Forbidden: field is immutable when `immutable` is set',
      about: "ConfigMap one",
      causes: ["FieldValueForbidden data"],
    },
  },
  {
    name: "a PUT without a resourceVersion replaces whatever is there",
    run: async (desk) => {
      await created(desk, "configmaps", configMap({ data: { a: "1" } }));
      return accepted(
        await desk.send("PUT", path(desk, "configmaps", "one"), { body: configMap({ data: { b: "2" } }) }),
      )["data"];
    },
    expected: { b: "2" },
  },
  {
    name: "a PUT with a stale resourceVersion is a conflict",
    run: async (desk) => {
      const before = await created(desk, "configmaps", configMap({ data: { a: "1" } }));
      accepted(await desk.send("PUT", path(desk, "configmaps", "one"), { body: { ...before, data: { a: "2" } } }));
      return refusal(
        await desk.send("PUT", path(desk, "configmaps", "one"), { body: { ...before, data: { a: "3" } } }),
      );
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "configmaps one",
    },
  },
  {
    name: "a PUT of what is not there is refused",
    run: async (desk) => refusal(await desk.send("PUT", path(desk, "configmaps", "one"), { body: configMap() })),
    expected: { code: 404, reason: "NotFound", message: 'configmaps "one" not found', about: "configmaps one" },
  },
  {
    name: "a POST to an object is not allowed",
    run: async (desk) => refusal(await desk.send("POST", path(desk, "configmaps", "one"), { body: configMap() })),
    expected: {
      code: 405,
      reason: "MethodNotAllowed",
      message: "the server does not allow this method on the requested resource",
    },
  },
  {
    name: "an unknown field is dropped with a warning, or refused under Strict",
    run: async (desk) => {
      const strict = await post(desk, "configmaps", configMap({ nope: 1 }), { query: { fieldValidation: "Strict" } });
      const answer = await post(desk, "configmaps", configMap({ nope: 1 }));
      return {
        strict: refusal(strict),
        warning: answer.headers["warning"],
        nope: accepted(answer, 201)["nope"] ?? "none",
      };
    },
    expected: {
      strict: {
        code: 400,
        reason: "BadRequest",
        message:
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "nope"',
      },
      warning: '299 - "unknown field \\"nope\\""',
      nope: "none",
    },
  },
  {
    name: "two managers apply their own keys, and a conflict names key and manager",
    run: async (desk) => {
      const target = path(desk, "configmaps", "one");
      accepted(await patch(desk, target, configMap({ data: { a: "1" } }), APPLY, { fieldManager: "me" }), 201);
      const { data } = accepted(
        await patch(desk, target, configMap({ data: { b: "2" } }), APPLY, { fieldManager: "you" }),
      );
      return {
        data,
        refused: refusal(await patch(desk, target, configMap({ data: { a: "3" } }), APPLY, { fieldManager: "you" })),
      };
    },
    expected: {
      data: { a: "1", b: "2" },
      refused: {
        code: 409,
        reason: "Conflict",
        message: 'Apply failed with 1 conflict: conflict with "me": .data.a',
        causes: ["FieldManagerConflict .data.a"],
      },
    },
  },
  {
    name: "who wrote which key is recorded",
    run: async (desk) => {
      const { metadata } = await created(desk, "configmaps", configMap({ data: { a: "1" } }));
      const entries = metadata["managedFields"] as readonly { fieldsV1: unknown; manager: string }[];
      return entries.map(({ fieldsV1, manager }) => ({ manager, fieldsV1 }));
    },
    expected: [{ manager: "conformance", fieldsV1: { "f:data": { ".": {}, "f:a": {} } } }],
  },
  {
    name: "a deletion is answered with a Status",
    run: async (desk) => {
      await created(desk, "configmaps", configMap());
      const { kind, status, details } = accepted(await desk.send("DELETE", path(desk, "configmaps", "one")));
      return { kind, status, name: details.name, what: details.kind };
    },
    expected: { kind: "Status", status: "Success", name: "one", what: "configmaps" },
  },
]);
