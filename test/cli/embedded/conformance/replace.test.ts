/** PUTs that are refused: the loser of a race, a precondition that does not hold, and what may not be changed. */
import type { KubeObject } from "../../../kit/kube-client.ts";
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { put, type WriteOptions } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "replace.conformance.example.com";

/** A Widget that is created, and then replaced by what `change` makes of it. */
async function replaced(desk: Desk, change: (widget: KubeObject) => unknown, options?: WriteOptions) {
  const before = await desk.given();
  return { before, answer: await put(desk, change(before), options) };
}

/** What such a PUT is refused with. */
const refused = (change: (widget: KubeObject) => unknown, options?: WriteOptions) => async (desk: Desk) =>
  refusal((await replaced(desk, change, options)).answer);

const withMetadata = (widget: KubeObject, metadata: object) => ({
  ...widget,
  metadata: { ...widget.metadata, ...metadata },
});

conformCases("PUTs that are refused", GROUP, [
  {
    name: "a PUT to a collection is not allowed",
    run: async (desk) => refusal(await desk.send("PUT", desk.path(), { body: desk.widget() })),
    expected: { code: 400, reason: "BadRequest", message: "name must be provided" },
  },
  {
    name: "a PUT of the status validates it",
    run: refused((widget) => ({ ...widget, status: { phase: "Nope" } }), { subresource: "status" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.replace.conformance.example.com "one" is invalid: status.phase: Unsupported value: "Nope": supported values: "Pending", "Running", "Failed"',
      about: "Widget.replace.conformance.example.com one",
      causes: ["FieldValueNotSupported status.phase"],
    },
  },
  {
    name: "a PUT of an invalid spec is refused",
    run: refused((widget) => ({ ...widget, spec: { size: 0 } })),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.replace.conformance.example.com "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
      about: "Widget.replace.conformance.example.com one",
      causes: ["FieldValueInvalid spec.size"],
    },
  },
  {
    name: "a PUT with a stale resourceVersion is refused as a conflict",
    run: async (desk) => {
      const before = await desk.given();
      accepted(await put(desk, { ...before, spec: { size: 2 } }));
      return refusal(await put(desk, { ...before, spec: { size: 3 } }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.replace.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "a PUT of the status with a stale resourceVersion is refused as a conflict",
    run: async (desk) => {
      const before = await desk.given();
      accepted(await put(desk, { ...before, spec: { size: 2 } }));
      return refusal(await put(desk, { ...before, status: { phase: "Failed" } }, { subresource: "status" }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.replace.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "a PUT with a resourceVersion that is yet to come is refused as a conflict",
    run: refused((widget) => withMetadata(widget, { resourceVersion: "99999999" })),
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.replace.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "of two writers with the same resourceVersion exactly one wins",
    run: async (desk) => {
      const before = await desk.given();
      const answers = await Promise.all([2, 3, 4, 5].map((size) => put(desk, { ...before, spec: { size } })));
      return answers.map(({ status }) => status).sort();
    },
    expected: [200, 409, 409, 409],
  },
  {
    name: "a PUT without a resourceVersion is refused",
    run: refused((widget) => withMetadata(widget, { resourceVersion: undefined })),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'widgets.replace.conformance.example.com "one" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      about: "widgets.replace.conformance.example.com one",
      causes: ["FieldValueInvalid metadata.resourceVersion"],
    },
  },
  {
    name: "a PUT of the status without a resourceVersion is refused",
    run: refused((widget) => withMetadata(widget, { resourceVersion: undefined }), { subresource: "status" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'widgets.replace.conformance.example.com "one" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      about: "widgets.replace.conformance.example.com one",
      causes: ["FieldValueInvalid metadata.resourceVersion"],
    },
  },
  {
    name: "a PUT with a resourceVersion that is no number is refused",
    run: refused((widget) => withMetadata(widget, { resourceVersion: "abc" })),
    expected: { code: 500, reason: "", message: 'strconv.ParseUint: parsing "abc": invalid syntax' },
  },
  {
    name: "a PUT of an object that does not exist is refused",
    run: async (desk) => refusal(await put(desk, desk.widget({ size: 1 }, { metadata: { resourceVersion: "5" } }))),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.replace.conformance.example.com "one" not found',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "a PUT of an object that does not exist is refused without a resourceVersion as well",
    run: async (desk) => refusal(await put(desk, desk.widget())),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.replace.conformance.example.com "one" not found',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "a PUT of the status of an object that does not exist is refused",
    run: async (desk) =>
      refusal(
        await put(desk, desk.widget({ size: 1 }, { metadata: { resourceVersion: "5" } }), { subresource: "status" }),
      ),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.replace.conformance.example.com "one" not found',
      about: "widgets.replace.conformance.example.com one",
    },
  },
  {
    name: "another uid is refused as a conflict",
    run: async (desk) => {
      const { message, ...rest } = await refused((widget) => withMetadata(widget, { uid: "other" }))(desk);
      return { ...rest, isTold: message.includes("Precondition failed: UID in precondition: other") };
    },
    expected: { code: 409, reason: "Conflict", about: "widgets.replace.conformance.example.com one", isTold: true },
  },
  {
    name: "another name than in the path is refused",
    run: refused((widget) => withMetadata(widget, { name: "two" })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (two) does not match the name on the URL (one)",
    },
  },
  {
    name: "a PUT without a name is refused",
    run: refused((widget) => withMetadata(widget, { name: undefined })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the name of the object (one based on URL) was undeterminable: name must be provided",
    },
  },
  {
    name: "another namespace than in the path is refused",
    run: refused((widget) => withMetadata(widget, { namespace: "elsewhere" })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
  },
  {
    name: "another kind is refused",
    run: refused((widget) => ({ ...widget, kind: "Gadget" })),
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'Gadget.replace.conformance.example.com "one" is invalid: kind: Invalid value: "Gadget": must be Widget',
      about: "Gadget.replace.conformance.example.com one",
      causes: ["FieldValueInvalid kind"],
    },
  },
  {
    name: "a deletionTimestamp cannot be set by a PUT",
    run: async (desk) => {
      const { code, causes } = await refused((widget) =>
        withMetadata(widget, { deletionTimestamp: "2001-01-01T00:00:00Z", deletionGracePeriodSeconds: 3 }),
      )(desk);
      return { code, causes };
    },
    expected: {
      code: 422,
      causes: ["FieldValueInvalid metadata.deletionTimestamp", "FieldValueInvalid metadata.deletionGracePeriodSeconds"],
    },
  },
]);
