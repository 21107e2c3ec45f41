/** What a write is: which object it is about, how it is to be done, and what came of it. */
import type { ResourceKind } from "../object/kind.ts";
import type { KubeObject } from "../object/object.ts";
import type { FieldValidation } from "./strategy.ts";

/** Which object a request is about; `namespace` is empty for cluster-scoped kinds. */
export interface Address {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: "" | "status" | "finalize" | "scale";
}

/** How to write. */
export interface WriteOptions {
  /** The field manager. */
  readonly manager: string;
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
}

/** A PATCH says that its patch was wrong, other writes that their body was. */
export type WriteForm = "body" | "patch";

/** What came of a write. */
export interface Written {
  readonly created: boolean;
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** A DeleteOptions, as far as it is obeyed. */
export interface RemoveOptions {
  readonly dryRun: boolean;
  /** What is to become of the objects that this one owns; all but `Background` leave a finalizer for the garbage collector. */
  readonly propagation?: "Foreground" | "Background" | "Orphan";
  readonly uid?: string;
  readonly resourceVersion?: string;
}
