/**
 * What a function with its settings does to the API server, as data: so the Role that gives exactly this can be written before the function is
 * refused (`cr-reactor rbac`). Discovery is not in it: every account may ask what is served.
 */
import type { KubernetesSettings } from "#contract";

/** Verbs on one kind, to be allowed all together. */
export interface KubeRight {
  readonly apiVersion: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  /** Where; left out: the namespace of the object that the function is told of. `*`: any, because an event says which. */
  readonly namespace?: string;
  /** Only the objects of these names. Not with `list`, nor with `create` other than by server-side apply: such a request has no name. */
  readonly names?: readonly string[];
  /** The cluster that is acted on, where settings name another than the process's own. */
  readonly kubernetes?: KubernetesSettings;
}

/** The kind whose events a function is told of. */
export interface ToldKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
}
