/**
 * The schemas that every document of the OpenAPI index shares: an object's metadata, and what is in it.
 * Source: Kubernetes API reference, "ObjectMeta", "ListMeta", "OwnerReference".
 */
import type { JsonObject } from "../object/object.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";

const text = (description: string): JsonObject => ({ type: "string", description });
const whole = (description: string): JsonObject => ({ type: "integer", format: "int64", description });
const flag = (description: string): JsonObject => ({ type: "boolean", description });
const time = (description: string): JsonObject => ({ description, allOf: [schemaReference(`${META}.Time`)] });
const textMap = (description: string): JsonObject => ({
  type: "object",
  description,
  additionalProperties: { type: "string", default: "" },
});

/** A reference to a schema of the same document. */
export function schemaReference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** `apiVersion` and `kind`. */
export const TYPE_PROPERTIES: JsonObject = {
  apiVersion: text("The group and version of this object, such as v1 or apps/v1."),
  kind: text("The kind of this object, in CamelCase."),
};

/** The property `metadata`. */
export const OBJECT_META: JsonObject = {
  description: "What the object is called, and what the server knows about it.",
  allOf: [schemaReference(`${META}.ObjectMeta`)],
};

const objectMeta: JsonObject = {
  description: "ObjectMeta is what every stored object has.",
  type: "object",
  properties: {
    name: text("Unique among the objects of its kind in a namespace. Cannot be changed."),
    generateName: text("The server makes a name of it when none is given."),
    namespace: text("The namespace that the name is unique in. Cannot be changed."),
    labels: textMap("Keys and values that objects are selected by."),
    annotations: textMap("Keys and values that tools keep with the object; nothing is selected by them."),
    uid: text("Unique in time and space; set by the server."),
    resourceVersion: text("Changes with every write; set by the server, compared by it when it is given."),
    generation: whole("Counts the changes of what is wanted; set by the server."),
    creationTimestamp: time("When the object was created; set by the server."),
    deletionTimestamp: time("When the deletion was asked for; set by the server."),
    deletionGracePeriodSeconds: whole("How long the deletion may take; set by the server."),
    selfLink: text("Not set any more."),
    finalizers: {
      description: "Who has to be done before the object is gone.",
      type: "array",
      items: { type: "string", default: "" },
      "x-kubernetes-list-type": "set",
      "x-kubernetes-patch-strategy": "merge",
    },
    ownerReferences: {
      description: "The objects that this one depends on.",
      type: "array",
      items: { allOf: [schemaReference(`${META}.OwnerReference`)], default: {} },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-patch-merge-key": "uid",
    },
    managedFields: {
      description: "Who set which field; kept by the server.",
      type: "array",
      items: { allOf: [schemaReference(`${META}.ManagedFieldsEntry`)], default: {} },
      "x-kubernetes-list-type": "atomic",
    },
  },
};

/** By name, for `components.schemas`. */
export const META_SCHEMAS: JsonObject = {
  [`${META}.ObjectMeta`]: objectMeta,
  [`${META}.ListMeta`]: {
    description: "ListMeta is what every list has.",
    type: "object",
    properties: {
      resourceVersion: text("The version of the collection; a watch can start from it."),
      continue: text("Given to the next request, it answers the next page."),
      remainingItemCount: whole("How many objects follow on later pages."),
      selfLink: text("Not set any more."),
    },
  },
  [`${META}.OwnerReference`]: {
    description: "OwnerReference names an object in the same namespace, or one without a namespace.",
    type: "object",
    required: ["apiVersion", "kind", "name", "uid"],
    properties: {
      apiVersion: text("The owner's group and version."),
      kind: text("The owner's kind."),
      name: text("The owner's name."),
      uid: text("The owner's uid."),
      controller: flag("Whether the owner manages this object."),
      blockOwnerDeletion: flag("Whether the owner has to wait for this object when it is deleted in the foreground."),
    },
    "x-kubernetes-map-type": "atomic",
  },
  [`${META}.ManagedFieldsEntry`]: {
    description: "ManagedFieldsEntry is what one manager has set.",
    type: "object",
    properties: {
      manager: text("Who."),
      operation: text("Apply or Update."),
      apiVersion: text("The version that the fields are named in."),
      time: time("When the entry last changed."),
      fieldsType: text("FieldsV1."),
      fieldsV1: { allOf: [schemaReference(`${META}.FieldsV1`)] },
      subresource: text("The subresource that it was written through."),
    },
  },
  [`${META}.FieldsV1`]: { description: "FieldsV1 is a set of fields, as a tree.", type: "object" },
  [`${META}.Time`]: { description: "A time in RFC 3339.", type: "string", format: "date-time" },
};
