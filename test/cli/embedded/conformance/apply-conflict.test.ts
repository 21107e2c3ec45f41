/** Server-side apply: the conflicts between managers, what they say, and taking fields over by force. */
import { conformCases } from "./case.ts";
import { type Answer, accepted, refusal } from "./raw.ts";
import { apply, owners, patch } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "apply-conflict.conformance.example.com";

const applied = async (...given: Parameters<typeof apply>) => accepted(await apply(...given));

const create = async (...given: Parameters<typeof apply>) => accepted(await apply(...given), 201);

const merge = async (desk: Desk, body: object, fieldManager: string) =>
  accepted(await patch(desk, body, { query: { fieldManager } }));

/** The refusal, with the causes in full: clients show them one by one. */
function conflict(answer: Answer) {
  const { causes, ...rest } = refusal(answer);
  return { ...rest, causes: answer.body["details"]?.causes };
}

conformCases("Conflicts of server-side apply", GROUP, [
  {
    name: "another value is a conflict with its owner",
    run: async (desk) => {
      await create(desk, { size: 1 });
      return conflict(await apply(desk, { size: 2 }, { by: "you" }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "me": .spec.size',
      causes: [{ reason: "FieldManagerConflict", message: 'conflict with "me"', field: ".spec.size" }],
    },
  },
  {
    name: "several conflicts are told at once",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab", ports: [{ name: "a", port: 1 }] });
      return conflict(await apply(desk, { size: 2, code: "cd", ports: [{ name: "a", port: 2 }] }, { by: "you" }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Apply failed with 3 conflicts: conflicts with "me":\n- .spec.code\n- .spec.size\n- .spec.ports[name="a"].port',
      causes: [
        { reason: "FieldManagerConflict", message: 'conflict with "me"', field: ".spec.code" },
        { reason: "FieldManagerConflict", message: 'conflict with "me"', field: ".spec.size" },
        { reason: "FieldManagerConflict", message: 'conflict with "me"', field: '.spec.ports[name="a"].port' },
      ],
    },
  },
  {
    name: "conflicts with several owners name each of them",
    run: async (desk) => {
      await create(desk, { size: 1 });
      await applied(desk, { code: "ab" }, { by: "other" });
      const { message } = conflict(await apply(desk, { size: 2, code: "cd" }, { by: "you" }));
      return message.split("\nconflicts").sort(); // the owners come in any order
    },
    expected: [' with "other":\n- .spec.code', 'Apply failed with 2 conflicts: conflicts with "me":\n- .spec.size'],
  },
  {
    name: "a conflict with who wrote without applying tells the version",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab" });
      await merge(desk, { spec: { code: "cd" } }, "editor");
      return refusal(await apply(desk, { size: 1, code: "ef" })).message;
    },
    expected:
      'Apply failed with 1 conflict: conflict with "editor" using apply-conflict.conformance.example.com/v1: .spec.code',
  },
  {
    name: "a conflict leaves the object as it is",
    run: async (desk) => {
      const before = await create(desk, { size: 1 });
      await apply(desk, { size: 2, code: "ab" }, { by: "you" });
      return (await desk.now()).metadata.resourceVersion === before.metadata.resourceVersion;
    },
    expected: true,
  },
  {
    name: "force takes a field over",
    run: async (desk) => {
      await create(desk, { size: 1, code: "ab" });
      const after = await applied(desk, { size: 2 }, { by: "you", force: true });
      return { spec: after["spec"], owners: owners(after) };
    },
    expected: {
      spec: { code: "ab", color: "green", size: 2 },
      owners: [
        { by: "me Apply", fieldsV1: { "f:spec": { "f:code": {} } } },
        { by: "you Apply", fieldsV1: { "f:spec": { "f:size": {} } } },
      ],
    },
  },
]);
