/** What a server accepts as the body of a write: its media type, size and syntax, and fields that the schema does not know. */
import { conformCases } from "./case.ts";
import { accepted, type RawOptions, refusal } from "./raw.ts";
import type { Desk } from "./widget.ts";

const GROUP = "body.conformance.example.com";

const post = (desk: Desk, options: RawOptions) => desk.send("POST", desk.path(), options);

/** The refusal of a body that is sent as it is. */
const refused = async (desk: Desk, body: string | Buffer, options: RawOptions = {}) =>
  refusal(await post(desk, { body, ...options }));

/** The same where the end of the message is about the parser. */
async function refusedStart(desk: Desk, body: string) {
  const { code, reason, message } = await refused(desk, body);
  return { code, reason, message: message.split(":")[0] };
}

/** A Widget as JSON text, with this text put into its spec. */
const withSpecText = (desk: Desk, specText: string) =>
  `{"apiVersion":"${desk.apiVersion}","kind":"Widget","metadata":{"name":"one"},"spec":{"size":1${specText}}}`;

const yamlOf = (desk: Desk) => `# a comment
apiVersion: ${desk.apiVersion}
kind: Widget
metadata:
  name: one
spec: {size: 3}
`;

/** What comes of a body with an unknown and a duplicate field. */
async function strictness(
  desk: Desk,
  query: Record<string, string>,
  text = withSpecText(desk, ',"size":2,"nope":1,"nested":{"no":1}'),
) {
  const answer = await post(desk, { body: text, query });
  if (answer.status >= 300) return refusal(answer);
  return { spec: answer.body["spec"], warning: answer.headers["warning"] ?? "none" };
}

conformCases("The body of a request", GROUP, [
  {
    name: "text that is no JSON is refused",
    run: (desk) => refusedStart(desk, "{nope"),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "an empty body is refused",
    run: (desk) => refusedStart(desk, ""),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "an array is refused",
    run: (desk) => refusedStart(desk, "[]"),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "a string is refused",
    run: (desk) => refusedStart(desk, '"text"'),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "null is refused",
    run: (desk) => refusedStart(desk, "null"),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "JSON followed by something else is refused",
    run: (desk) => refusedStart(desk, `${withSpecText(desk, "")} x`),
    expected: {
      code: 400,
      reason: "BadRequest",
      message: "the object provided is unrecognized (must be of type Widget)",
    },
  },
  {
    name: "a media type that is not known is refused with those that are",
    run: (desk) => refused(desk, withSpecText(desk, ""), { contentType: "text/plain" }),
    expected: {
      code: 415,
      reason: "UnsupportedMediaType",
      message:
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    },
  },
  {
    name: "a form is refused, as curl -d sends it",
    run: (desk) => refused(desk, withSpecText(desk, ""), { contentType: "application/x-www-form-urlencoded" }),
    expected: {
      code: 415,
      reason: "UnsupportedMediaType",
      message:
        "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    },
  },
  {
    name: "a body without a media type is read as JSON",
    run: async (desk) => (await post(desk, { body: withSpecText(desk, ""), contentType: null })).status,
    expected: 201,
  },
  {
    name: "a media type may have parameters",
    run: async (desk) =>
      (await post(desk, { body: withSpecText(desk, ""), contentType: "application/json; charset=utf-8" })).status,
    expected: 201,
  },
  {
    name: "YAML is accepted, and answered as JSON where that is asked for",
    run: async (desk) =>
      accepted(await post(desk, { body: yamlOf(desk), contentType: "application/yaml" }), 201)["spec"],
    expected: { color: "green", size: 3 },
  },
  {
    name: "an answer comes as YAML where that is asked for",
    run: async (desk) => {
      await desk.given();
      const { headers, text } = await desk.send("GET", desk.path("one"), { accept: "application/yaml" });
      return { type: headers["content-type"], start: text.split("\n").slice(0, 3) };
    },
    expected: {
      type: "application/yaml",
      start: ["apiVersion: body.conformance.example.com/v1", "kind: Widget", "metadata:"],
    },
  },
  {
    name: "an answer in a media type that is not known is refused",
    run: async (desk) => {
      await desk.given();
      const { code, reason, message } = refusal(await desk.send("GET", desk.path("one"), { accept: "text/html" }));
      return { code, reason, message: message.split(", ")[0] }; // the first of those that are
    },
    expected: {
      code: 406,
      reason: "NotAcceptable",
      message: "only the following media types are accepted: application/json",
    },
  },
  {
    name: "a body of more than 3 MiB is refused",
    run: (desk) => refused(desk, withSpecText(desk, `,"maybe":"${"x".repeat(3 * 1024 * 1024)}"`)),
    expected: { code: 413, reason: "RequestEntityTooLarge", message: "Request entity too large: limit is 3145728" },
  },
  {
    name: "an unknown field is dropped, and a warning tells so by default",
    run: (desk) => strictness(desk, {}, withSpecText(desk, ',"nope":1')),
    expected: { spec: { color: "green", size: 1 }, warning: '299 - "unknown field \\"spec.nope\\""' },
  },
  {
    name: "a field that is given twice counts as the last one says, and a warning tells so by default",
    run: (desk) => strictness(desk, {}, withSpecText(desk, ',"size":2')),
    expected: { spec: { color: "green", size: 2 }, warning: '299 - "duplicate field \\"spec.size\\""' },
  },
  {
    name: "fieldValidation=Warn warns of each field",
    run: (desk) => strictness(desk, { fieldValidation: "Warn" }),
    expected: {
      spec: { color: "green", nested: {}, size: 2 },
      warning:
        '299 - "duplicate field \\"spec.size\\"", 299 - "unknown field \\"spec.nested.no\\"", 299 - "unknown field \\"spec.nope\\""',
    },
  },
  {
    name: "fieldValidation=Ignore drops in silence",
    run: (desk) => strictness(desk, { fieldValidation: "Ignore" }),
    expected: { spec: { color: "green", nested: {}, size: 2 }, warning: "none" },
  },
  {
    name: "fieldValidation=Strict refuses with all fields",
    run: (desk) => strictness(desk, { fieldValidation: "Strict" }),
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: duplicate field "spec.size", unknown field "spec.nested.no", unknown field "spec.nope"',
    },
  },
  {
    name: "another fieldValidation is refused",
    run: (desk) => strictness(desk, { fieldValidation: "Maybe" }),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
      about: "CreateOptions.meta.k8s.io",
      causes: ["FieldValueNotSupported fieldValidation"],
    },
  },
  {
    name: "fieldValidation=Strict looks into items, metadata and the top level",
    run: async (desk) => {
      const body = desk.widget({ size: 1, ports: [{ name: "a", no: 1 }] }, { metadata: { nope: 1 }, extra: 1 });
      return refusal(await post(desk, { body, query: { fieldValidation: "Strict" } }));
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "metadata.nope", unknown field "extra", unknown field "spec.ports[0].no"',
    },
  },
  {
    name: "fieldValidation=Strict lets pass what the schema leaves open",
    run: async (desk) => {
      const body = desk.widget({ size: 1, free: { any: { thing: [1] } }, limits: { a: 1 } });
      return accepted(await post(desk, { body, query: { fieldValidation: "Strict" } }), 201)["spec"];
    },
    expected: { color: "green", free: { any: { thing: [1] } }, limits: { a: 1 }, size: 1 },
  },
  {
    name: "a PUT is held to fieldValidation=Strict as well",
    run: async (desk) => {
      const body = { ...(await desk.given()), spec: { size: 2, nope: 1 } };
      return refusal(await desk.send("PUT", desk.path("one"), { body, query: { fieldValidation: "Strict" } }));
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message: 'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.nope"',
    },
  },
  {
    name: "a patch is held to fieldValidation=Strict as well",
    run: async (desk) => {
      await desk.given();
      const contentType = "application/merge-patch+json";
      const query = { fieldValidation: "Strict" };
      const answer = await desk.send("PATCH", desk.path("one"), { body: { spec: { nope: 1 } }, contentType, query });
      const { message, code, reason, causes } = refusal(answer);
      return { code, reason, causes, message: message.slice(message.indexOf("strict decoding")) };
    },
    expected: {
      code: 422,
      reason: "Invalid",
      causes: ["FieldValueInvalid patch"],
      message: 'strict decoding error: unknown field "spec.nope"',
    },
  },
  {
    name: "a warning comes with a patch as well",
    run: async (desk) => {
      await desk.given();
      const contentType = "application/merge-patch+json";
      const { headers } = await desk.send("PATCH", desk.path("one"), { body: { spec: { nope: 1 } }, contentType });
      return headers["warning"];
    },
    expected: '299 - "unknown field \\"spec.nope\\""',
  },
]);
