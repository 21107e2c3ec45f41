/**
 * A Kubernetes manifest with the event's values in it, as it stands in settings. It is filled in value by value after it was read as YAML, so
 * that no value of an object can become structure; a text that is one `{{ path }}` and nothing else keeps the type of what stands there.
 */
import { z } from "zod";
import type { Json, KubeRight } from "#kit";
import { EventPath, type EventScope, valueIn } from "../event-path.ts";
import { renderTemplate, Template, type TemplateScope } from "../template.ts";

const ONE_PATH = /^\{\{-?\s*([^{}|]+?)\s*-?\}\}$/;

const Value: z.ZodType<Json> = z.lazy(() =>
  z.union([Template, z.number(), z.boolean(), z.null(), z.array(Value), z.record(z.string(), Value)]),
);

/** For settings. The kind is written out, so that it is known what a function needs to be allowed. */
export const ManifestTemplate = z
  .object({
    apiVersion: z.string().regex(/^[a-z0-9.-]+(\/[a-z0-9]+)?$/, "expected an apiVersion, such as v1 or apps/v1"),
    kind: z.string().regex(/^[A-Za-z0-9]+$/, "expected a kind, such as ConfigMap"),
    metadata: z
      .object({ name: Template.min(1), namespace: Template.min(1).optional(), generateName: z.never().optional() })
      .catchall(Value),
  })
  .catchall(Value);
export type ManifestTemplate = z.infer<typeof ManifestTemplate>;

/** A manifest that is filled in. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** What applying it takes. Of a name that an event fills in, any object of the kind may be the one. */
export function manifestRight({ apiVersion, kind, metadata }: ManifestTemplate): KubeRight {
  const { name, namespace } = metadata;
  return {
    ...{ apiVersion, kind, verbs: ["create", "patch"] },
    ...(namespace !== undefined && { namespace: isTemplate(namespace) ? "*" : namespace.trim() }),
    ...(!isTemplate(name) && { names: [name.trim()] }),
  };
}

function isTemplate(text: string): boolean {
  return text.includes("{");
}

/** Fills it in; a field whose one value is not there is left out. Throws as renderTemplate does. */
export function fillManifest(template: ManifestTemplate, scope: TemplateScope & EventScope): Manifest {
  const { name, namespace, generateName: _, ...metadata } = template.metadata;
  const filled = fill({ ...template, metadata } as Json, scope) as Omit<Manifest, "metadata"> & { metadata: object };
  return {
    ...filled,
    apiVersion: template.apiVersion,
    kind: template.kind,
    metadata: {
      ...filled.metadata,
      name: renderTemplate(name, scope, "plain").trim(),
      ...(namespace !== undefined && { namespace: renderTemplate(namespace, scope, "plain").trim() }),
    },
  };
}

function fill(value: Json, scope: TemplateScope & EventScope): Json | undefined {
  if (typeof value === "string") return fillText(value, scope);
  if (Array.isArray(value)) return value.flatMap((each) => fill(each, scope) ?? []);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, each]) => [key, fill(each, scope)]);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

function fillText(text: string, scope: TemplateScope & EventScope): Json | undefined {
  const path = ONE_PATH.exec(text.trim())?.[1];
  if (path !== undefined && EventPath.safeParse(path).success) return valueIn(scope, path);
  return isTemplate(text) ? renderTemplate(text, scope, "plain") : text;
}
