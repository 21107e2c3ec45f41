/** Server-side apply: what it creates, what it refuses, and how it treats the status. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { APPLY, apply, owners, patch } from "./verb.ts";

const GROUP = "apply.conformance.example.com";

const applied = async (...given: Parameters<typeof apply>) => accepted(await apply(...given));

const create = async (...given: Parameters<typeof apply>) => accepted(await apply(...given), 201);

conformCases("Server-side apply", GROUP, [
  {
    name: "it creates what is not there",
    run: async (desk) => {
      const { metadata, spec } = await create(desk, { size: 1 });
      return { spec, generation: metadata.generation, owners: owners({ metadata }) };
    },
    expected: {
      spec: { color: "green", size: 1 },
      generation: 1,
      owners: [{ by: "me Apply", fieldsV1: { "f:spec": { "f:size": {} } } }],
    },
  },
  {
    name: "it updates what is there",
    run: async (desk) => {
      await create(desk, { size: 1 });
      const { metadata, spec } = await applied(desk, { size: 2 });
      return { spec, generation: metadata.generation };
    },
    expected: { spec: { color: "green", size: 2 }, generation: 2 },
  },
  {
    name: "the same again keeps the resourceVersion",
    run: async (desk) => {
      const before = await create(desk, { size: 1, ports: [{ name: "a" }] });
      const after = await applied(desk, { size: 1, ports: [{ name: "a" }] });
      return before.metadata.resourceVersion === after.metadata.resourceVersion;
    },
    expected: true,
  },
  {
    name: "YAML text is accepted",
    run: async (desk) => {
      const body = `# mine\napiVersion: ${desk.apiVersion}\nkind: Widget\nmetadata:\n  name: one\nspec:\n  size: 3\n  ports:\n  - name: a\n`;
      return (await create(desk, {}, { body }))["spec"];
    },
    expected: { color: "green", ports: [{ name: "a", protocol: "TCP" }], size: 3 },
  },
  {
    name: "a body without a name is refused",
    run: async (desk) => refusal(await apply(desk, { size: 1 }, { parts: { metadata: { name: undefined } } })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (one based on URL) was undeterminable: name must be provided",
    },
  },
  {
    name: "a fieldManager is required",
    run: async (desk) =>
      refusal(await desk.send("PATCH", desk.path("one"), { body: desk.widget(), contentType: APPLY })),
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      about: "PatchOptions.meta.k8s.io",
      causes: ["FieldValueRequired fieldManager"],
    },
  },
  {
    name: "text that is no YAML is refused",
    run: async (desk) => {
      const { code, reason } = refusal(await apply(desk, {}, { body: "a: [" }));
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "another name than in the path is refused",
    run: async (desk) => refusal(await apply(desk, { size: 1 }, { parts: { metadata: { name: "two" } } })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (two) does not match the name on the URL (one)",
    },
  },
  {
    name: "another kind is refused",
    run: async (desk) => {
      const answer = await apply(desk, { size: 1 }, { parts: { kind: "Gadget" } });
      return refusal(answer);
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "invalid object type: apply.conformance.example.com/v1, Kind=Gadget",
    },
  },
  {
    name: "a missing apiVersion is refused",
    run: async (desk) => {
      const answer = await apply(desk, { size: 1 }, { parts: { apiVersion: undefined } });
      return { code: answer.status };
    },
    expected: { code: 400 },
  },
  {
    name: "an unknown namespace is refused",
    run: async (desk) =>
      refusal(
        await desk.send("PATCH", `/apis/${desk.apiVersion}/namespaces/nobody/widgets/one`, {
          body: desk.widget(),
          contentType: APPLY,
          query: { fieldManager: "me" },
        }),
      ),
    expected: { code: 404, reason: "NotFound", message: 'namespaces "nobody" not found', about: "namespaces nobody" },
  },
  {
    name: "managedFields in the body are refused",
    run: async (desk) =>
      refusal(
        await apply(
          desk,
          { size: 1 },
          {
            parts: {
              metadata: {
                managedFields: [
                  {
                    manager: "x",
                    operation: "Apply",
                    apiVersion: desk.apiVersion,
                    fieldsType: "FieldsV1",
                    fieldsV1: {},
                  },
                ],
              },
            },
          },
        ),
      ),
    expected: { code: 400, reason: "BadRequest", message: "metadata.managedFields must be nil" },
  },
  {
    name: "an invalid result is refused",
    run: async (desk) => refusal(await apply(desk, { size: 0 })),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.apply.conformance.example.com "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
      about: "Widget.apply.conformance.example.com one",
      causes: ["FieldValueInvalid spec.size"],
    },
  },
  {
    name: "a value of a wrong type is refused",
    run: async (desk) => {
      return refusal(await apply(desk, { size: 1, ports: "x" }));
    },
    expected: {
      code: 500,
      reason: "",
      message:
        "failed to create typed patch object (/one; apply.conformance.example.com/v1, Kind=Widget): .spec.ports: expected list, got &{x}",
    },
  },
  {
    name: "an unknown field is refused, whatever fieldValidation says",
    run: async (desk) => refusal(await apply(desk, { size: 1, nope: 1 }, { query: { fieldValidation: "Ignore" } })),
    expected: {
      code: 500,
      reason: "",
      message:
        "failed to create typed patch object (/one; apply.conformance.example.com/v1, Kind=Widget): .spec.nope: field not declared in schema",
    },
  },
  {
    name: "a stale resourceVersion in the body is a conflict",
    run: async (desk) => {
      await create(desk, { size: 1 });
      return refusal(await apply(desk, { size: 2 }, { parts: { metadata: { resourceVersion: "1" } } }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.apply.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.apply.conformance.example.com one",
    },
  },
  {
    name: "the status is not applied with the object",
    run: async (desk) => {
      const after = await create(desk, { size: 1 }, { parts: { status: { phase: "Running" } } });
      return { status: after["status"] ?? "none", owners: owners(after) };
    },
    expected: { status: "none", owners: [{ by: "me Apply", fieldsV1: { "f:spec": { "f:size": {} } } }] },
  },
  {
    name: "the status is applied through its subresource, with an entry of its own",
    run: async (desk) => {
      await create(desk, { size: 1 });
      const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
      const after = await applied(desk, undefined, { by: "operator", subresource: "status", parts: { status } });
      return {
        spec: after["spec"],
        status: after["status"],
        generation: after.metadata.generation,
        owners: owners(after),
      };
    },
    expected: {
      spec: { color: "green", size: 1 },
      status: { conditions: [{ status: "True", type: "Ready" }], phase: "Running" },
      generation: 1,
      owners: [
        { by: "me Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
        {
          by: "operator Apply status",
          fieldsV1: {
            "f:status": {
              "f:conditions": { 'k:{"type":"Ready"}': { ".": {}, "f:status": {}, "f:type": {} } },
              "f:phase": {},
            },
          },
        },
      ],
    },
  },
  {
    name: "conditions of two operators are merged by type",
    run: async (desk) => {
      await create(desk, { size: 1 });
      const condition = (type: string) => ({ status: { conditions: [{ type, status: "True" }] } });
      await applied(desk, undefined, { by: "first", subresource: "status", parts: condition("Ready") });
      return (await applied(desk, undefined, { by: "second", subresource: "status", parts: condition("Synced") }))[
        "status"
      ];
    },
    expected: {
      conditions: [
        { status: "True", type: "Ready" },
        { status: "True", type: "Synced" },
      ],
    },
  },
  {
    name: "the status of what is not there cannot be applied",
    run: async (desk) =>
      refusal(await apply(desk, undefined, { subresource: "status", parts: { status: { phase: "Running" } } })),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.apply.conformance.example.com "one" not found',
      about: "widgets.apply.conformance.example.com one",
    },
  },
  {
    name: "a dry run answers the result and leaves nothing",
    run: async (desk) => {
      const dry = await apply(desk, { size: 1 }, { query: { dryRun: "All" } });
      return { status: dry.status, spec: dry.body["spec"], after: (await desk.send("GET", desk.path("one"))).status };
    },
    expected: { status: 201, spec: { color: "green", size: 1 }, after: 404 },
  },
  {
    name: "force is refused outside of apply",
    run: async (desk) => {
      await desk.given();
      return refusal(await patch(desk, {}, { query: { force: "true" } }));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
      about: "PatchOptions.meta.k8s.io",
      causes: ["FieldValueForbidden force"],
    },
  },
  {
    name: "what was created is taken over by applying it with the same name of the manager",
    run: async (desk) => {
      await desk.given({ size: 1, code: "ab" });
      return owners(await applied(desk, { size: 1 }, { by: "conformance" }));
    },
    expected: [
      { by: "conformance Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
      { by: "conformance Update", fieldsV1: { "f:spec": { ".": {}, "f:code": {}, "f:color": {}, "f:size": {} } } },
    ],
  },
]);
