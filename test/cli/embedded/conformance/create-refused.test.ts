/** What is refused when a custom object is created: names, metadata, kinds and versions that do not fit. */
import { conformCases } from "./case.ts";
import { refusal } from "./raw.ts";
import type { Desk } from "./widget.ts";

const GROUP = "create-refused.conformance.example.com";

/** The refusal of a Widget that is created with these parts over it. */
async function refused(desk: Desk, parts: Readonly<Record<string, unknown>>, query?: Record<string, string>) {
  const body = { ...desk.widget(), ...parts };
  return refusal(await desk.send("POST", desk.path(), { body, ...(query && { query }) }));
}

const withMetadata = (desk: Desk, metadata: object) => desk.widget({ size: 1 }, { metadata });

conformCases("Creations that are refused", GROUP, [
  {
    name: "an object without a name is refused",
    run: (desk) => refused(desk, { metadata: {} }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.create-refused.conformance.example.com "" is invalid: metadata.name: Required value: name or generateName is required',
      about: "Widget.create-refused.conformance.example.com",
      causes: ["FieldValueRequired metadata.name"],
    },
  },
  {
    name: "an object without metadata is refused",
    run: (desk) => refused(desk, { metadata: undefined }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.create-refused.conformance.example.com "" is invalid: metadata.name: Required value: name or generateName is required',
      about: "Widget.create-refused.conformance.example.com",
      causes: ["FieldValueRequired metadata.name"],
    },
  },
  {
    name: "an upper-case name is refused",
    run: (desk) => refused(desk, { metadata: { name: "One" } }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        "Widget.create-refused.conformance.example.com \"One\" is invalid: metadata.name: Invalid value: \"One\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      about: "Widget.create-refused.conformance.example.com One",
      causes: ["FieldValueInvalid metadata.name"],
    },
  },
  {
    name: "a name with a slash is refused",
    run: (desk) => refused(desk, { metadata: { name: "a/b" } }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        "Widget.create-refused.conformance.example.com \"a/b\" is invalid: metadata.name: Invalid value: \"a/b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      about: "Widget.create-refused.conformance.example.com a/b",
      causes: ["FieldValueInvalid metadata.name"],
    },
  },
  {
    name: "a name of more than 253 characters is refused",
    run: async (desk) => {
      const { code, reason, message } = await refused(desk, { metadata: { name: "x".repeat(254) } });
      return { code, reason, message: message.replace(/x{254}/g, "x*254") };
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.create-refused.conformance.example.com "x*254" is invalid: metadata.name: Invalid value: "x*254": must be no more than 253 characters',
    },
  },
  {
    name: "an invalid label, annotation and finalizer are refused together",
    run: async (desk) => {
      const labels = { "a b": "c", d: "e f" };
      const metadata = { name: "one", labels, annotations: { "g h": "" }, finalizers: ["no slash"] };
      const { code, causes } = await refused(desk, { metadata });
      return { code, causes: causes?.toSorted() };
    },
    expected: {
      code: 422,
      causes: [
        "FieldValueInvalid metadata.annotations",
        "FieldValueInvalid metadata.finalizers",
        "FieldValueInvalid metadata.labels",
      ],
    },
  },
  {
    name: "an owner reference without a uid is refused",
    run: (desk) =>
      refused(desk, { metadata: { name: "one", ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x" }] } }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.create-refused.conformance.example.com "one" is invalid: metadata.ownerReferences.uid: Invalid value: "": must not be empty',
      about: "Widget.create-refused.conformance.example.com one",
      causes: ["FieldValueInvalid metadata.ownerReferences.uid"],
    },
  },
  {
    name: "metadata of a wrong type is refused",
    run: async (desk) => {
      const { code, reason, message } = await refused(desk, { metadata: { name: "one", labels: { a: 1 } } });
      return { code, reason, message: message.split(":")[0] };
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message: 'Widget in version "v1" cannot be handled as a Widget',
    },
  },
  {
    name: "a namespace that does not exist is refused with 404",
    run: async (desk) =>
      refusal(await desk.send("POST", `/apis/${desk.apiVersion}/namespaces/nobody/widgets`, { body: desk.widget() })),
    expected: { code: 404, reason: "NotFound", message: 'namespaces "nobody" not found', about: "namespaces nobody" },
  },
  {
    name: "another namespace in the body than in the path is refused",
    run: (desk) => refused(desk, withMetadata(desk, { namespace: "elsewhere" })),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
  },
  {
    name: "a resourceVersion on a new object is refused",
    run: (desk) => refused(desk, withMetadata(desk, { resourceVersion: "5" })),
    expected: { code: 500, reason: "", message: "resourceVersion should not be set on objects to be created" },
  },
  {
    name: "a taken name is refused as AlreadyExists",
    run: async (desk) => {
      await desk.given();
      return refused(desk, {});
    },
    expected: {
      code: 409,
      reason: "AlreadyExists",
      message: 'widgets.create-refused.conformance.example.com "one" already exists',
      about: "widgets.create-refused.conformance.example.com one",
    },
  },
  {
    name: "a wrong kind is refused",
    run: (desk) => refused(desk, { kind: "Gadget" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Gadget.create-refused.conformance.example.com "one" is invalid: kind: Invalid value: "Gadget": must be Widget',
      about: "Gadget.create-refused.conformance.example.com one",
      causes: ["FieldValueInvalid kind"],
    },
  },
  {
    name: "a missing kind is refused",
    run: async (desk) => {
      const { code, reason, message } = await refused(desk, { kind: undefined });
      return { code, reason, message: message.split(":")[0] };
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "a wrong version is refused",
    run: (desk) => refused(desk, { apiVersion: `${GROUP}/v2` }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        "the API version in the data (create-refused.conformance.example.com/v2) does not match the expected API version (create-refused.conformance.example.com/v1)",
    },
  },
  {
    name: "a wrong group is refused",
    run: (desk) => refused(desk, { apiVersion: "apps/v1" }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        "the API version in the data (apps/v1) does not match the expected API version (create-refused.conformance.example.com/v1)",
    },
  },
  {
    name: "a missing apiVersion is refused",
    run: (desk) => refused(desk, { apiVersion: undefined }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        "the API version in the data () does not match the expected API version (create-refused.conformance.example.com/v1)",
    },
  },
  {
    name: "a POST to the kind in all namespaces is not served",
    run: async (desk) => {
      const body = withMetadata(desk, { namespace: desk.namespace });
      return (await desk.send("POST", `/apis/${desk.apiVersion}/widgets`, { body })).status;
    },
    expected: 404,
  },
  {
    name: "a dry run is refused as a creation would be",
    run: async (desk) => {
      await desk.given();
      return (await refused(desk, {}, { dryRun: "All" })).reason;
    },
    expected: "AlreadyExists",
  },
  {
    name: "an unknown value of dryRun is refused",
    run: (desk) => refused(desk, {}, { dryRun: "Some" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
      about: "CreateOptions.meta.k8s.io",
      causes: ["FieldValueNotSupported dryRun"],
    },
  },
]);
