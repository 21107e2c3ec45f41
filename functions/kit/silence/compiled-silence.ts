/**
 * A silence, made ready: whether it holds back an event at a moment. Pure; what a namespace says is asked for only by silences that want it.
 */
import { type Envelope, groupOf, type KubeObject, versionPartOf } from "#contract";
import { evaluate } from "../filter/clause.ts";
import { compile } from "../filter/compile.ts";
import { compileGlobs } from "../filter/glob.ts";
import { occurrenceOf } from "../filter/occurrence.ts";
import { type Holding, REMEMBERED_DAYS, type Silence, type SilenceScope, type SilenceSetting } from "./silence.ts";
import { windowClock } from "./window.ts";

/** An event that is about to be run. */
export interface Occasion {
  readonly event: Envelope;
  /** The object as the function would be told it. */
  readonly object: KubeObject;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** The object's namespace, as the log has it; `undefined`: it has none, or is not captured. */
  namespace(): Promise<KubeObject | undefined>;
}

/** A silence that is compiled. */
export interface CompiledSilence {
  /** Of the bucket its key, of the file its name. */
  readonly id: string;
  readonly reason: string | undefined;
  readonly summary: boolean;
  concerns(subscription: string): boolean;
  /** Throws what `namespace` throws. */
  holds(occasion: Occasion): Promise<Holding | undefined>;
  /** Whether it holds anything at this moment, whatever that is; of an annotation or label nobody knows. */
  isOn(atMs: number): boolean | undefined;
  /** Whether it was there within the days for which one is remembered. */
  isRecent(atMs: number): boolean;
}

const REMEMBERED_MS = REMEMBERED_DAYS * 86_400_000;

/** Compiles one of the bucket. */
export function compileSilence(id: string, silence: Silence): CompiledSilence {
  const { reason, summary } = silence;
  const [beginsMs, endsMs] = [Date.parse(silence.begins), Date.parse(silence.ends)];
  const isOn = (atMs: number) => atMs >= beginsMs && atMs < endsMs;
  const { concerns, contains } = compileScope(silence);
  return {
    ...{ id, reason, summary, concerns, isOn },
    isRecent: (atMs) => atMs >= beginsMs && atMs < endsMs + REMEMBERED_MS,
    async holds({ event, atMs }) {
      return isOn(atMs) && contains(event) ? { id, reason, endsMs, summary } : undefined;
    },
  };
}

/** Compiles one of the subscriptions file. */
export function compileSetting(setting: SilenceSetting): CompiledSilence {
  const { name: id, reason, summary, window, annotation, label, of } = setting;
  const { concerns, contains } = compileScope(setting);
  const known = { id, reason, summary, concerns };
  if (window !== undefined) {
    const clock = windowClock(window);
    return {
      ...known,
      isOn: (atMs) => clock.at(atMs) !== undefined,
      isRecent: (atMs) =>
        clock.at(atMs) !== undefined ||
        (clock.next(atMs - REMEMBERED_MS)?.beginsMs ?? Number.POSITIVE_INFINITY) <= atMs,
      async holds({ event, atMs }) {
        const time = clock.at(atMs);
        if (time === undefined || !contains(event)) return undefined;
        const begins = new Date(time.beginsMs).toISOString().slice(0, 19);
        return { id: `${id}@${begins}Z`, reason, endsMs: time.endsMs, summary };
      },
    };
  }
  const kept = label === undefined ? "annotations" : "labels";
  return {
    ...known,
    isOn: () => undefined,
    isRecent: () => true,
    async holds({ event, object, atMs, namespace }) {
      if (!contains(event)) return undefined;
      const asked = of === "object" ? object : await namespace();
      const said = asked?.metadata[kept]?.[annotation ?? label ?? ""];
      if (said === "true") return { id, reason, endsMs: undefined, summary: false };
      const endsMs = annotation === undefined ? undefined : timeIn(said);
      if (endsMs === undefined || atMs >= endsMs) return undefined;
      return { id: `${id}@${new Date(endsMs).toISOString().slice(0, 19)}Z`, reason, endsMs, summary };
    },
  };
}

/** The first silence that holds an event back at one of these moments (epoch milliseconds). Throws what `namespace` throws. */
export async function firstHolding(
  silences: readonly CompiledSilence[],
  {
    event,
    object,
    momentsMs,
  }: { readonly event: Envelope; readonly object: KubeObject; readonly momentsMs: readonly number[] },
  namespace: Occasion["namespace"],
): Promise<Holding | undefined> {
  for (const silence of silences)
    for (const atMs of momentsMs) {
      const holding = await silence.holds({ event, object, atMs, namespace });
      if (holding !== undefined) return holding;
    }
  return undefined;
}

function compileScope({ subscriptions, apiVersion, kind, cluster, when }: SilenceScope) {
  const concerns = subscriptions === undefined ? () => true : compileGlobs(subscriptions);
  const filter = when && compile(when);
  const contains = (event: Envelope): boolean => {
    if (kind !== undefined && event.kind !== kind) return false;
    if (apiVersion !== undefined && !isVersion(event.apiversion, apiVersion)) return false;
    if (cluster !== undefined && event.cluster !== cluster) return false;
    if (filter === undefined) return true;
    try {
      return evaluate(filter, occurrenceOf(event)) === true;
    } catch {
      return false; // it contradicts itself
    }
  };
  return { concerns: (subscription: string) => concerns(subscription), contains };
}

function isVersion(apiVersion: string, wanted: string): boolean {
  return groupOf(apiVersion) === groupOf(wanted) && versionPartOf(apiVersion) === versionPartOf(wanted);
}

/** A time as people write it into an annotation; with nothing behind its date it is no time. */
function timeIn(said: string | undefined): number | undefined {
  if (said === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(said))
    return undefined;
  const timeMs = Date.parse(said);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
