/**
 * The custom kind of the cases: a Widget whose schema has one field for each rule that a server has to enforce, with status and
 * scale as subresources. Each case gets a namespace of its own, each file a group of its own, so none sees another's objects.
 */
import { randomBytes } from "node:crypto";
import type { KubeObject } from "../../../kit/kube-client.ts";
import { type Answer, accepted, type RawOptions, raw } from "./raw.ts";
import type { Target } from "./target.ts";

/** What a case works with. */
export interface Desk {
  readonly target: Target;
  /** Of this case alone. */
  readonly namespace: string;
  /** `<group>/v1`. */
  readonly apiVersion: string;
  /** The group of the file's Widgets. */
  readonly group: string;
  /** The path of the namespace's Widgets, of one, or of its subresource. */
  path(name?: string, subresource?: string): string;
  send(method: string, path: string, options?: RawOptions): Promise<Answer>;
  /** The body of a Widget; `metadata` is put over the name `one`, `parts` over the whole. */
  widget(spec?: object, parts?: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Creates that Widget and answers it. */
  given(spec?: object, parts?: Readonly<Record<string, unknown>>): Promise<KubeObject>;
  /** The Widget `one` as it is now. */
  now(name?: string): Promise<KubeObject>;
}

const text = { type: "string" };

const spec = {
  type: "object",
  required: ["size"],
  properties: {
    size: { type: "integer", minimum: 1, maximum: 10 },
    color: { type: "string", enum: ["red", "green", "blue"], default: "green" },
    code: { type: "string", pattern: "^[a-z]+$", minLength: 2, maxLength: 5 },
    ratio: { type: "number", exclusiveMinimum: true, minimum: 0 },
    step: { type: "number", multipleOf: 0.5 },
    enabled: { type: "boolean" },
    when: { type: "string", format: "date-time" },
    maybe: { type: "string", nullable: true },
    replicas: { type: "integer", format: "int32" },
    port: { "x-kubernetes-int-or-string": true },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    limits: { type: "object", additionalProperties: { type: "integer" }, maxProperties: 2 },
    args: { type: "array", "x-kubernetes-list-type": "atomic", minItems: 1, maxItems: 3, items: text },
    tags: { type: "array", "x-kubernetes-list-type": "set", items: text },
    ports: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name"],
        properties: { name: text, port: { type: "integer" }, protocol: { type: "string", default: "TCP" } },
      },
    },
    nested: { type: "object", properties: { a: text, b: text, deep: { type: "object", properties: { c: text } } } },
    whole: { type: "object", "x-kubernetes-map-type": "atomic", properties: { a: text, b: text } },
  },
};

const status = {
  type: "object",
  properties: {
    phase: { type: "string", enum: ["Pending", "Running", "Failed"] },
    replicas: { type: "integer" },
    selector: text,
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: { type: "object", required: ["type", "status"], properties: { type: text, status: text, message: text } },
    },
  },
};

const scale = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".status.selector",
};

/** `widgets.<group>`, v1, namespaced. */
export function widgetCrd(group: string) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Widget", listKind: "WidgetList", plural: "widgets", singular: "widget", shortNames: ["wd"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {}, scale },
          schema: { openAPIV3Schema: { type: "object", required: ["spec"], properties: { spec, status } } },
        },
      ],
    },
  };
}

/** A name that no other case has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}

const installed = new Map<string, Promise<void>>(); // by server and group; the cases of a file share their kind

/** A fresh namespace, with the kind Widget in `group`; the group is the file's own. */
export async function openDesk(target: Target, group: string): Promise<Desk> {
  const key = `${target.name} ${group}`;
  const install = installed.get(key) ?? target.client.applyCrd(widgetCrd(group));
  installed.set(key, install);
  await install;
  const namespace = uniqueName("case");
  await target.client.createNamespace(namespace);
  const apiVersion = `${group}/v1`;
  const desk: Desk = {
    target,
    namespace,
    apiVersion,
    group,
    path: (...segments) => {
      const given = segments.filter((segment) => segment !== undefined);
      return [`/apis/${apiVersion}/namespaces/${namespace}/widgets`, ...given].join("/");
    },
    send: (method, path, options) => raw(target, method, path, options),
    widget: (spec = { size: 1 }, { metadata = {}, ...parts } = {}) => ({
      apiVersion,
      kind: "Widget",
      metadata: { name: "one", ...(metadata as object) },
      spec,
      ...parts,
    }),
    given: async (...what) => accepted(await desk.send("POST", desk.path(), { body: desk.widget(...what) }), 201),
    now: async (name = "one") => accepted(await desk.send("GET", desk.path(name))),
  };
  return desk;
}
