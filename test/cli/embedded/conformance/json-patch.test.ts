/** JSON patch (RFC 6902) of custom objects and of their status. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { JSON_PATCH, outcome, patch, type WriteOptions } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "json-patch.conformance.example.com";

/** The spec of a Widget after these operations. */
const operated =
  (spec: object, ...operations: readonly object[]) =>
  async (desk: Desk) => {
    await desk.given(spec);
    return accepted(await patch(desk, operations, { contentType: JSON_PATCH }))["spec"];
  };

/** What these operations, or whatever is sent in their place, are refused with. */
const refused = (body: unknown) => async (desk: Desk) => {
  await desk.given({ size: 1, args: ["a"] });
  return refusal(await patch(desk, body, { contentType: JSON_PATCH }));
};

/** What this patch does to generation and resourceVersion. */
const counted = (body: unknown, options?: WriteOptions) => async (desk: Desk) => {
  const before = await desk.given();
  return outcome(before, await patch(desk, body, options));
};

conformCases("JSON patch", GROUP, [
  {
    name: "add sets a field",
    run: operated({ size: 1 }, { op: "add", path: "/spec/code", value: "ab" }),
    expected: { code: "ab", color: "green", size: 1 },
  },
  {
    name: "add puts an item at a place and at the end",
    run: operated(
      { size: 1, args: ["b"] },
      { op: "add", path: "/spec/args/0", value: "a" },
      { op: "add", path: "/spec/args/-", value: "c" },
    ),
    expected: { args: ["a", "b", "c"], color: "green", size: 1 },
  },
  {
    name: "remove takes a field and an item away",
    run: operated(
      { size: 1, code: "ab", args: ["a", "b"] },
      { op: "remove", path: "/spec/code" },
      { op: "remove", path: "/spec/args/0" },
    ),
    expected: { args: ["b"], color: "green", size: 1 },
  },
  {
    name: "replace, copy and move",
    run: operated(
      { size: 1, nested: { a: "x" } },
      { op: "replace", path: "/spec/size", value: 2 },
      { op: "copy", from: "/spec/nested/a", path: "/spec/nested/b" },
      { op: "move", from: "/spec/nested/a", path: "/spec/maybe" },
    ),
    expected: { color: "green", maybe: "x", nested: { b: "x" }, size: 2 },
  },
  {
    name: "a test that holds lets the rest pass",
    run: operated(
      { size: 1 },
      { op: "test", path: "/spec/size", value: 1 },
      { op: "replace", path: "/spec/size", value: 2 },
    ),
    expected: { color: "green", size: 2 },
  },
  {
    name: "~1 and ~0 stand for slash and tilde",
    run: operated({ size: 1, limits: { "a/b~c": 1 } }, { op: "replace", path: "/spec/limits/a~1b~0c", value: 2 }),
    expected: { color: "green", limits: { "a/b~c": 2 }, size: 1 },
  },
  {
    name: "a test that fails is refused, and nothing is changed",
    run: async (desk) => {
      const refusal_ = await refused([
        { op: "replace", path: "/spec/size", value: 2 },
        { op: "test", path: "/spec/size", value: 9 },
      ])(desk);
      return { ...refusal_, kept: (await desk.now())["spec"] };
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
      kept: { args: ["a"], color: "green", size: 1 },
    },
  },
  {
    name: "a path that is not there cannot be removed",
    run: refused([{ op: "remove", path: "/spec/nope" }]),
    expected: {
      code: 422,
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
    },
  },
  {
    name: "a replaced field need not be there",
    run: operated({ size: 1 }, { op: "replace", path: "/spec/code", value: "ab" }),
    expected: { code: "ab", color: "green", size: 1 },
  },
  {
    name: "a field cannot be added to what is not there",
    run: refused([{ op: "add", path: "/spec/nope/deep", value: 1 }]),
    expected: {
      code: 422,
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
    },
  },
  {
    name: "a place outside of a list is refused",
    run: refused([{ op: "add", path: "/spec/args/7", value: "x" }]),
    expected: {
      code: 422,
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
    },
  },
  {
    name: "an unknown operation is refused",
    run: refused([{ op: "frob", path: "/spec/size" }]),
    expected: {
      code: 422,
      reason: "Invalid",
      message: "the server rejected our request due to an error in our request",
    },
  },
  {
    name: "what is no list of operations is refused",
    run: async (desk) => {
      const { code, reason, message } = await refused({ spec: {} })(desk);
      return { code, reason, message: message.split(":")[0] };
    },
    expected: { code: 400, reason: "BadRequest", message: "error decoding patch" },
  },
  {
    name: "text that is no JSON is refused",
    run: async (desk) => {
      const { code, reason } = await refused("[nope")(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "an invalid result is refused",
    run: refused([{ op: "replace", path: "/spec/size", value: 0 }]),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.json-patch.conformance.example.com "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
      about: "Widget.json-patch.conformance.example.com one",
      causes: ["FieldValueInvalid spec.size"],
    },
  },
  {
    name: "the status is patched through its subresource",
    run: async (desk) => {
      await desk.given();
      return accepted(
        await patch(desk, [{ op: "add", path: "/status", value: { phase: "Running" } }], {
          contentType: JSON_PATCH,
          subresource: "status",
        }),
      )["status"];
    },
    expected: { phase: "Running" },
  },
  {
    name: "a test of the resourceVersion is a precondition",
    run: async (desk) => (await refused([{ op: "test", path: "/metadata/resourceVersion", value: "1" }])(desk)).code,
    expected: 422,
  },
  {
    name: "no operation keeps the resourceVersion",
    run: counted([], { contentType: JSON_PATCH }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
]);
