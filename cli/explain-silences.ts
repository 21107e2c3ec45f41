/**
 * Which silences are in front of a subscription now, for `explain`: those of the bucket and those of the file that are on, and those that
 * depend on what an object or its namespace says.
 */
import { EVENTS_STREAM, encodeToken, type JetStream, SUBJECT_ROOT, unlessMissing } from "#contract";
import { compileSetting, compileSilence, readSilences, type SilenceSetting, type Subscription } from "#kit";

/** One silence that concerns the subscription. */
export interface ExplainedSilence {
  readonly id: string;
  readonly reason?: string;
  /** `depends`: on what an annotation or a label says. */
  readonly state: "on" | "off" | "depends";
  /** What keeps it from working. */
  readonly problem?: string;
}

/** Those that concern the subscription; of the bucket only those that are on. Throws JetStreamApiError and RequestLostError. */
export async function explainSilences(
  jetStream: JetStream,
  { name, silenceable = true }: Pick<Subscription, "name" | "silenceable">,
  settings: readonly SilenceSetting[],
  signal: AbortSignal,
): Promise<readonly ExplainedSilence[]> {
  if (!silenceable) return [];
  const nowMs = Date.now();
  const made = (await readSilences(jetStream, signal)).map(({ id, silence }) => compileSilence(id, silence));
  const on = made.filter((silence) => silence.concerns(name) && silence.isOn(nowMs));
  const own = settings.filter((setting) => compileSetting(setting).concerns(name));
  const isWanted = own.some(({ of }) => of === "namespace");
  const hasNamespaces = !isWanted || (await knowsNamespaces(jetStream));
  return [
    ...on.map(({ id, reason }) => ({ id, state: "on" as const, ...(reason !== undefined && { reason }) })),
    ...own.map((setting) => {
      const isOn = compileSetting(setting).isOn(nowMs);
      const { name: id, reason, of } = setting;
      const state = isOn === undefined ? "depends" : isOn ? "on" : "off";
      const problem = of === "namespace" && !hasNamespaces && NOT_CAPTURED;
      return { id, state, ...(reason !== undefined && { reason }), ...(problem && { problem }) } as const;
    }),
  ];
}

const NOT_CAPTURED =
  "no bridge captures Namespaces, so it silences nothing: add { apiVersion: v1, kind: Namespace } to the bridge's resources";

async function knowsNamespaces(jetStream: JetStream): Promise<boolean> {
  const asked = jetStream.api<{ state: { subjects?: object } }>(`STREAM.INFO.${EVENTS_STREAM}`, {
    subjects_filter: `${SUBJECT_ROOT}.*.${encodeToken("")}.Namespace.>`,
  });
  const info = await unlessMissing("stream", asked);
  return Object.keys(info?.state.subjects ?? {}).length > 0;
}
