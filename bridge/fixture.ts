/**
 * Events for tests of functions, made by the code that makes the real ones: what a test leaves out of its objects is filled in, and the
 * bridge's own seal does the rest. It is the door of `functions/kit/testing`; nothing that runs functions opens it.
 */
import { ALWAYS_IGNORED } from "./capture/resource.ts";
import { type Envelope, parseEnvelope } from "./event/envelope.ts";
import { pathSet } from "./event/path-set.ts";
import { presetPhase } from "./event/phase-preset.ts";
import { type ObservedState, seal } from "./event/seal.ts";
import { parsePhaseSource } from "./event/transitions.ts";
import { groupOf, KubeObject, versionPartOf } from "./kube/kube-object.ts";

export { createRecordingLogger } from "./logger.ts";

/** A Kubernetes object as a test writes it: only what the test is about. */
export interface FixtureObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** What happened in the test. */
export type FixtureChange =
  | { readonly op: "created" | "existing" | "deleted"; readonly object: FixtureObject }
  | { readonly op: "updated"; readonly before: FixtureObject; readonly object: FixtureObject };

/** What the objects of one test have in common. */
export interface FixtureOptions {
  /** For objects that do not say it themselves. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly cluster: string;
  /** As in a bridge's configuration: a path, or `condition:Ready`; default as there. */
  readonly phase?: string | undefined;
}

/** A stream of events about objects that exist only in a test. */
export interface Fixture {
  /** The event about a change at this time. Throws FixtureError. */
  event(change: FixtureChange, atMs: number): Envelope;
}

/** A test's object cannot be one of Kubernetes', or the change is none. */
export class FixtureError extends Error {
  readonly code = "FIXTURE_INVALID";
  override readonly name = "FixtureError";
}

const ignored = pathSet(ALWAYS_IGNORED);

/** Remembers each object's phase, so that the next event tells how long it held. */
export function createFixture(options: FixtureOptions): Fixture {
  const states = new Map<string, ObservedState>();
  /** Who was deleted and comes again under the same name is another object. */
  const deaths = new Map<string, number>();
  let resourceVersion = 1;

  const complete = (object: FixtureObject, atMs: number, known?: ObservedState): KubeObject => {
    const { name, namespace = "" } = object.metadata ?? {};
    const parsed = KubeObject.safeParse({
      apiVersion: options.apiVersion,
      kind: options.kind,
      ...object,
      metadata: {
        uid: ["uid-of", namespace, name, deaths.get(keyOf(object)) ?? ""].filter(String).join("-"),
        resourceVersion: String(++resourceVersion),
        creationTimestamp: known?.object.metadata.creationTimestamp ?? new Date(atMs).toISOString(),
        ...object.metadata,
      },
    });
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new FixtureError(`the object is none of Kubernetes': ${problems.join("; ")}`);
  };
  return {
    event(change, atMs) {
      const key = keyOf(change.object);
      const known = states.get(key);
      const before = change.op === "updated" ? complete(change.before, atMs, known) : undefined;
      const object = complete(change.object, atMs, known);
      const { apiVersion, kind } = object;
      if (before !== undefined && before.metadata.uid !== object.metadata.uid)
        throw new FixtureError(
          "before and after are two objects: an update is of one, with the same namespace and name",
        );
      const [group, version] = [groupOf(apiVersion), versionPartOf(apiVersion)];
      const phase = parsePhaseSource(options.phase ?? presetPhase(group, kind));
      const state = before ?? (change.op === "deleted" ? object : undefined);
      const sealed = seal(
        { cluster: options.cluster, group, version, kind, plural: pluralOf(kind), phase, ignored },
        {
          op: change.op,
          object,
          before: state && { object: state, phase: known?.phase },
          resourceVersion: object.metadata.resourceVersion,
          gap: false,
          seenAtMs: atMs,
        },
      );
      if (sealed === undefined)
        throw new FixtureError(
          "before and after are the same (what is ignored does not count): nothing is told of that",
        );
      if (change.op === "deleted") {
        states.delete(key);
        deaths.set(key, (deaths.get(key) ?? 0) + 1);
      } else states.set(key, sealed.after);
      return parseEnvelope(sealed.payload);
    },
  };
}

function keyOf({ kind = "", metadata }: FixtureObject): string {
  return [kind, metadata?.namespace ?? "", metadata?.name ?? ""].join("/");
}

/** As Kubernetes guesses it where nobody tells. Source: apimachinery, `meta.UnsafeGuessKindToResource`. */
function pluralOf(kind: string): string {
  const singular = kind.toLowerCase();
  if (singular.endsWith("s")) return `${singular}es`;
  return singular.endsWith("y") ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}
