/** What a watch is doing, for whoever is told: health, metrics, Events. */
import type { ReflectorState } from "../kube/reflector.ts";

/** Reading the log's index, or what its reflector does: listing, watching, or waiting with a problem. */
export type CaptureState = { readonly type: "starting" } | ReflectorState;
