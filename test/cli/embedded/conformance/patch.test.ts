/** JSON merge patch (RFC 7396) of custom objects and of their status. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { outcome, patch, STRATEGIC, type WriteOptions } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "patch.conformance.example.com";

/** The spec of a Widget after this merge patch. */
const merged = (spec: object, change: unknown) => async (desk: Desk) => {
  await desk.given(spec);
  return accepted(await patch(desk, { spec: change }))["spec"];
};

/** What this patch does to generation and resourceVersion. */
const counted = (body: unknown, options?: WriteOptions) => async (desk: Desk) => {
  const before = await desk.given();
  return outcome(before, await patch(desk, body, options));
};

/** What this merge patch is refused with. */
const refused = (body: unknown, options?: WriteOptions) => async (desk: Desk) => {
  await desk.given();
  return refusal(await patch(desk, body, options));
};

conformCases("Merge patch", GROUP, [
  {
    name: "it changes, adds and keeps",
    run: merged({ size: 1, code: "ab" }, { size: 2, enabled: true }),
    expected: { code: "ab", color: "green", enabled: true, size: 2 },
  },
  { name: "null removes", run: merged({ size: 1, code: "ab" }, { code: null }), expected: { color: "green", size: 1 } },
  {
    name: "null for what has a default brings the default back",
    run: merged({ size: 1, color: "red" }, { color: null }),
    expected: { color: "green", size: 1 },
  },
  {
    name: "null for what is not there changes nothing",
    run: counted({ spec: { code: null } }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "nested objects are made on the way",
    run: merged({ size: 1 }, { nested: { deep: { c: "x" } } }),
    expected: { color: "green", nested: { deep: { c: "x" } }, size: 1 },
  },
  {
    name: "nested objects are merged",
    run: merged({ size: 1, nested: { a: "x", b: "y" } }, { nested: { a: "z" } }),
    expected: { color: "green", nested: { a: "z", b: "y" }, size: 1 },
  },
  {
    name: "a list is replaced as a whole, keyed or not",
    run: merged({ size: 1, ports: [{ name: "a" }, { name: "b" }] }, { ports: [{ name: "c" }] }),
    expected: { color: "green", ports: [{ name: "c", protocol: "TCP" }], size: 1 },
  },
  { name: "an unknown field is pruned", run: merged({ size: 1 }, { nope: 1 }), expected: { color: "green", size: 1 } },
  {
    name: "a change of the spec counts a generation",
    run: counted({ spec: { size: 2 } }),
    expected: { generation: 2, isNewVersion: true, spec: { color: "green", size: 2 }, status: "none" },
  },
  {
    name: "a change of labels counts no generation",
    run: counted({ metadata: { labels: { a: "b" } } }),
    expected: { generation: 1, isNewVersion: true, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a patch without an effect keeps the resourceVersion",
    run: counted({ spec: { size: 1 } }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "an empty patch keeps the resourceVersion",
    run: counted({}),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "the status is ignored in a patch of the object",
    run: counted({ status: { phase: "Running" } }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a patch of the status changes it and counts no generation",
    run: counted({ status: { phase: "Running" } }, { subresource: "status" }),
    expected: { generation: 1, isNewVersion: true, spec: { color: "green", size: 1 }, status: { phase: "Running" } },
  },
  {
    name: "a patch of the status ignores the spec",
    run: counted({ spec: { size: 2 } }, { subresource: "status" }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "an annotation is removed with null and the others stay",
    run: async (desk) => {
      await desk.given({ size: 1 }, { metadata: { annotations: { a: "1", b: "2" } } });
      return accepted(await patch(desk, { metadata: { annotations: { a: null } } })).metadata.annotations;
    },
    expected: { b: "2" },
  },
  {
    name: "it may be YAML no more than any JSON patch may",
    run: async (desk) => {
      await desk.given();
      return (await patch(desk, "spec: {size: 2}")).status;
    },
    expected: 400,
  },
  {
    name: "an invalid result is refused",
    run: refused({ spec: { size: 0 } }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.patch.conformance.example.com "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
      about: "Widget.patch.conformance.example.com one",
      causes: ["FieldValueInvalid spec.size"],
    },
  },
  {
    name: "an invalid status is refused",
    run: refused({ status: { phase: "Nope" } }, { subresource: "status" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.patch.conformance.example.com "one" is invalid: status.phase: Unsupported value: "Nope": supported values: "Pending", "Running", "Failed"',
      about: "Widget.patch.conformance.example.com one",
      causes: ["FieldValueNotSupported status.phase"],
    },
  },
  {
    name: "another name is refused",
    run: refused({ metadata: { name: "two" } }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (two) does not match the name on the URL (one)",
    },
  },
  {
    name: "another namespace is refused",
    run: refused({ metadata: { namespace: "elsewhere" } }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
  },
  {
    name: "another kind is refused",
    run: refused({ kind: "Gadget" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'Gadget.patch.conformance.example.com "one" is invalid: kind: Invalid value: "Gadget": must be Widget',
      about: "Gadget.patch.conformance.example.com one",
      causes: ["FieldValueInvalid kind"],
    },
  },
  {
    name: "another apiVersion is refused",
    run: refused({ apiVersion: "x.example.com/v1" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.x.example.com "one" is invalid: apiVersion: Invalid value: "x.example.com/v1": must be patch.conformance.example.com/v1',
      about: "Widget.x.example.com one",
      causes: ["FieldValueInvalid apiVersion"],
    },
  },
  {
    name: "another uid is refused",
    run: async (desk) => {
      const { code, reason, causes } = await refused({ metadata: { uid: "other" } })(desk);
      return { code, reason, causes };
    },
    expected: { code: 422, reason: "Invalid", causes: ["FieldValueInvalid metadata.uid"] },
  },
  {
    name: "a resourceVersion that is not the current one is a conflict",
    run: refused({ metadata: { resourceVersion: "1" }, spec: { size: 2 } }),
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.patch.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.patch.conformance.example.com one",
    },
  },
  {
    name: "the current resourceVersion lets the patch pass",
    run: async (desk) => {
      const { resourceVersion } = (await desk.given()).metadata;
      return accepted(await patch(desk, { metadata: { resourceVersion }, spec: { size: 2 } }))["spec"];
    },
    expected: { color: "green", size: 2 },
  },
  {
    name: "a resourceVersion in a patch of the status is a precondition as well",
    run: async (desk) =>
      (
        await refused(
          { metadata: { resourceVersion: "1" }, status: { phase: "Failed" } },
          { subresource: "status" },
        )(desk)
      ).reason,
    expected: "Conflict",
  },
  {
    name: "patches without a resourceVersion that come at once all win",
    run: async (desk) => {
      await desk.given();
      const answers = await Promise.all(
        ["a", "b", "c", "d"].map((label) => patch(desk, { metadata: { labels: { [label]: "x" } } })),
      );
      return { statuses: answers.map(({ status }) => status), labels: (await desk.now()).metadata.labels };
    },
    expected: { statuses: [200, 200, 200, 200], labels: { a: "x", b: "x", c: "x", d: "x" } },
  },
  {
    name: "an object that does not exist is not created",
    run: async (desk) => refusal(await patch(desk, { spec: { size: 1 } })),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.patch.conformance.example.com "one" not found',
      about: "widgets.patch.conformance.example.com one",
    },
  },
  {
    name: "text that is no JSON is refused",
    run: async (desk) => {
      const { code, reason } = await refused("{nope")(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "an array is refused",
    run: async (desk) => {
      const { code, reason } = await refused([])(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "a dry run answers the change and leaves the object",
    run: async (desk) => {
      await desk.given();
      const dry = accepted(await patch(desk, { spec: { size: 2 } }, { query: { dryRun: "All" } }));
      return { answered: dry["spec"], kept: (await desk.now())["spec"] };
    },
    expected: { answered: { color: "green", size: 2 }, kept: { color: "green", size: 1 } },
  },
  {
    name: "strategic merge patch is refused for a custom kind, with what is accepted",
    run: refused({ spec: { size: 2 } }, { contentType: STRATEGIC }),
    expected: {
      code: 415,
      reason: "UnsupportedMediaType",
      message:
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    },
  },
  {
    name: "plain JSON is no patch",
    run: refused({ spec: { size: 2 } }, { contentType: "application/json" }),
    expected: {
      code: 415,
      reason: "UnsupportedMediaType",
      message:
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    },
  },
  {
    name: "a patch without a media type is refused",
    run: async (desk) => (await refused("{}", { contentType: null })(desk)).code,
    expected: 415,
  },
]);
