/**
 * The custom resource of the chaos runs, made to be awkward: a phase of free text, a keyed list of conditions, a part whose fields
 * no schema knows, and names, namespaces and phases that mean something else to NATS unless they are encoded.
 */
const text = { type: "string" };

const conditions = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: {
    type: "object",
    required: ["type", "status"],
    properties: { type: text, status: text, reason: text, message: text },
  },
};

const properties = {
  spec: {
    type: "object",
    properties: {
      size: { type: "integer" },
      note: text,
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
  status: { type: "object", properties: { phase: text, conditions } },
};

/** The group and version of the kind. */
export const WIDGET_API_VERSION = "chaos.example.com/v1";

/** `widgets.chaos.example.com`, v1, namespaced, with a status subresource. */
export const widgetCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.chaos.example.com" },
  spec: {
    group: "chaos.example.com",
    scope: "Namespaced",
    names: { kind: "Widget", listKind: "WidgetList", plural: "widgets", singular: "widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", properties } },
      },
    ],
  },
};

/** The longest label that DNS allows. */
const LABEL = "l".repeat(63);

/** Phases as people and controllers write them, and as nobody should. */
export const PHASES: readonly string[] = [
  "Pending",
  "Running",
  "Failed",
  "Not Ready",
  "läuft ✓",
  "*",
  ">",
  "a.b",
  ".",
  "_",
  "=20",
  "",
  "x".repeat(80),
  "two\nlines\tand a tab",
];

/** So many namespaces; the last one has the longest name there is. */
export function namespaceNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) =>
    index > 0 && index === count - 1 ? `z${LABEL.slice(1)}` : `chaos-${index}`,
  );
}

/** The name of an object: plain, with dots, with a label of 63 characters, or of 253 characters. */
export function widgetName(index: number): string {
  switch (index % 4) {
    case 1:
      return `w.${index}.with.dots`;
    case 2:
      return `${LABEL}.${index}`;
    case 3:
      return `w${index}.${LABEL}.${LABEL}.${LABEL}.`.padEnd(253, "e").slice(0, 253);
    default:
      return `w-${index}`;
  }
}

/** The API path of a namespace's Widgets, of all without a namespace, or of one. */
export function widgetPath(namespace?: string, name?: string): string {
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `/apis/${WIDGET_API_VERSION}${scope}/widgets${name === undefined ? "" : `/${name}`}`;
}
