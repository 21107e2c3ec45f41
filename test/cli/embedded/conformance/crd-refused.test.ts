/** CustomResourceDefinitions that are refused: names, versions and schemas that do not fit. */
import { conformCases } from "./case.ts";
import { CRDS, gizmoCrd, schema, version } from "./gizmo.ts";
import { refusal } from "./raw.ts";
import type { Desk } from "./widget.ts";

const GROUP = "crd-refused.conformance.example.com";

type Parts = Readonly<Record<string, unknown>>;

/** What a definition is refused with; the group is a random one. */
const refused =
  (spec: Parts, over: Parts = {}) =>
  async (desk: Desk) => {
    const crd = gizmoCrd(spec);
    const { message, about: _, ...rest } = refusal(await desk.send("POST", CRDS, { body: { ...crd, ...over } }));
    const title = `CustomResourceDefinition.apiextensions.k8s.io "${crd.metadata.name}" is invalid: `;
    return { ...rest, message: message.replace(title, "").replaceAll(crd.spec.group, "<group>") };
  };

/** The first of the causes, where the real server's words are about its own workings. */
const firstCause = (spec: Parts) => async (desk: Desk) => {
  const { code, causes } = await refused(spec)(desk);
  return { code, cause: causes?.[0] };
};

conformCases("Definitions that are refused", GROUP, [
  {
    name: "a name that is not <plural>.<group>",
    run: refused({}, { metadata: { name: "gizmos.elsewhere.example.com" } }),
    expected: {
      code: 422,
      reason: "Invalid",
      causes: ["FieldValueInvalid metadata.name"],
      message:
        'CustomResourceDefinition.apiextensions.k8s.io "gizmos.elsewhere.example.com" is invalid: metadata.name: Invalid value: "gizmos.elsewhere.example.com": must be spec.names.plural+"."+spec.group',
    },
  },
  {
    name: "no spec",
    run: async (desk) => {
      const { code, causes } = await refused({}, { spec: undefined })(desk);
      return { code, isTold: causes?.includes("FieldValueRequired spec.group") };
    },
    expected: { code: 422, isTold: true },
  },
  {
    name: "no version",
    run: firstCause({ versions: [] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.versions" },
  },
  {
    name: "no version that is stored",
    run: firstCause({ versions: [version("v1", { storage: false })] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.versions" },
  },
  {
    name: "two versions that are stored",
    run: firstCause({ versions: [version("v1"), version("v2")] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.versions" },
  },
  {
    name: "a version twice",
    run: firstCause({ versions: [version("v1"), version("v1", { storage: false })] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.versions" },
  },
  {
    name: "a version whose name is none",
    run: firstCause({ versions: [version("V_1")] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.versions[0].name" },
  },
  {
    name: "a version without a schema",
    run: refused({ versions: [version("v1", { schema: undefined })] }),
    expected: {
      code: 422,
      reason: "Invalid",
      causes: ["FieldValueRequired spec.versions[0].schema.openAPIV3Schema"],
      message: "spec.versions[0].schema.openAPIV3Schema: Required value",
    },
  },
  {
    name: "an unknown scope",
    run: refused({ scope: "Galaxy" }),
    expected: {
      code: 422,
      reason: "Invalid",
      causes: ["FieldValueNotSupported spec.scope"],
      message: 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
    },
  },
  {
    name: "no kind",
    run: async (desk) =>
      (await refused({ names: { plural: "gizmos" } })(desk)).causes?.includes("FieldValueRequired spec.names.kind"),
    expected: true,
  },
  {
    name: "a kind in two words",
    run: async (desk) =>
      (await refused({ names: { kind: "Giz mo", plural: "gizmos" } })(desk)).causes?.includes(
        "FieldValueInvalid spec.names.kind",
      ),
    expected: true,
  },
  {
    name: "a schema whose root is no object",
    run: firstCause({ versions: [version("v1", { schema: { openAPIV3Schema: { type: "string" } } })] }),
    expected: { code: 422, cause: "FieldValueInvalid spec.validation.openAPIV3Schema.type" },
  },
  {
    name: "a field without a type",
    run: refused(schema({ size: {} })),
    expected: {
      code: 422,
      reason: "Invalid",
      causes: ["FieldValueRequired spec.validation.openAPIV3Schema.properties[size].type"],
      message:
        "spec.validation.openAPIV3Schema.properties[size].type: Required value: must not be empty for specified object fields",
    },
  },
  {
    name: "a list without items",
    run: firstCause(schema({ list: { type: "array" } })),
    expected: { code: 422, cause: "FieldValueRequired spec.validation.openAPIV3Schema.properties[list].items" },
  },
  {
    name: "a type within anyOf",
    run: firstCause(schema({ size: { type: "string", anyOf: [{ type: "string" }] } })),
    expected: {
      code: 422,
      cause: "FieldValueForbidden spec.validation.openAPIV3Schema.properties[size].anyOf[0].type",
    },
  },
  {
    name: "an unknown type",
    run: firstCause(schema({ size: { type: "decimal" } })),
    expected: { code: 422, cause: "FieldValueNotSupported spec.validation.openAPIV3Schema.properties[size].type" },
  },
  {
    name: "a pattern that is none",
    run: firstCause(schema({ size: { type: "string", pattern: "(" } })),
    expected: { code: 422, cause: "FieldValueInvalid spec.validation.openAPIV3Schema.properties[size].pattern" },
  },
  {
    name: "a default that the schema refuses",
    run: firstCause(schema({ size: { type: "integer", default: "x" } })),
    expected: { code: 422, cause: "FieldValueTypeInvalid spec.validation.openAPIV3Schema.properties[size].default" },
  },
  {
    name: "properties next to additionalProperties",
    run: firstCause(schema({ a: { type: "string" } }, { additionalProperties: { type: "string" } })),
    expected: { code: 422, cause: "FieldValueForbidden spec.validation.openAPIV3Schema.additionalProperties" },
  },
  {
    name: "a keyed list without keys",
    run: firstCause(
      schema({
        list: {
          type: "array",
          "x-kubernetes-list-type": "map",
          items: { type: "object", properties: { a: { type: "string" } } },
        },
      }),
    ),
    expected: {
      code: 422,
      cause: "FieldValueRequired spec.validation.openAPIV3Schema.properties[list].x-kubernetes-list-map-keys",
    },
  },
  {
    name: "a keyed list whose key is neither required nor has a default",
    run: firstCause(
      schema({
        list: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["a"],
          items: { type: "object", properties: { a: { type: "string" } } },
        },
      }),
    ),
    expected: {
      code: 422,
      cause: "FieldValueRequired spec.validation.openAPIV3Schema.properties[list].items.properties[a].default",
    },
  },
  {
    name: "an unknown field under Strict",
    run: async (desk) => {
      const crd = gizmoCrd({ nope: 1 });
      const { code, reason, message } = refusal(
        await desk.send("POST", CRDS, { body: crd, query: { fieldValidation: "Strict" } }),
      );
      return { code, reason, message };
    },
    expected: {
      code: 400,
      reason: "BadRequest",
      message:
        'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition: strict decoding error: unknown field "spec.nope"',
    },
  },
  {
    name: "apiVersion v1beta1",
    run: async (desk) => {
      const { code, reason } = await refused({}, { apiVersion: "apiextensions.k8s.io/v1beta1" })(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
]);
