/**
 * The part of a Kubernetes object that cr-reactor relies on; everything else passes through untouched.
 * Source: Kubernetes API conventions, "Objects" and "Metadata"
 * (kubernetes.io/docs/reference/using-api/api-concepts, KEP-5504 for comparing resourceVersions).
 */
import { z } from "zod";

/** One entry of `metadata.managedFields`: who owns which fields since when (KEP-555, server-side apply). */
export const ManagedFieldsEntry = z.looseObject({
  manager: z.string().optional(),
  operation: z.string().optional(),
  subresource: z.string().optional(),
  time: z.string().optional(),
  fieldsV1: z.record(z.string(), z.unknown()).optional(),
});
export type ManagedFieldsEntry = z.infer<typeof ManagedFieldsEntry>;

/** The metadata fields that identify an object and its state. */
const ObjectMeta = z.looseObject({
  name: z.string().min(1),
  namespace: z.string().optional(),
  uid: z.string().min(1),
  resourceVersion: z.string().regex(/^[0-9]+$/, "expected a decimal resourceVersion"),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  managedFields: z.array(ManagedFieldsEntry).nullish(),
});

/** A Kubernetes object of any kind. */
export const KubeObject = z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: ObjectMeta });
export type KubeObject = z.infer<typeof KubeObject>;

/** Any JSON value, as it comes out of `JSON.parse`. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Orders two resourceVersions: negative when `a` is older. They are decimal integers of any length, comparable within one
 * resource (KEP-5504, stable since Kubernetes 1.35), so the longer one is newer and equal lengths compare as text.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The `apiVersion` of a group and a version: `apps/v1`, or `v1` of the core group. */
export function apiVersionOf({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The version in an `apiVersion`: `v1` of `apps/v1`. */
export function versionPartOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf("/") + 1);
}

/** The API group of an `apiVersion`: `apps` of `apps/v1`, the empty string of `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}
