/**
 * What is remembered of the incidents of one object, by subscription: for people who ask. It reads, and leaves nothing behind.
 */
import { decodeToken, encodeToken, INCIDENTS_BUCKET, type JetStream, read, unlessMissing } from "#contract";
import { IncidentRecord } from "./incident-record.ts";

/** The newest incidents of an object, for one subscription, and what its newest events did to them. */
export interface KeptIncidents extends Pick<IncidentRecord, "newest" | "previous" | "decisions"> {
  readonly subscription: string;
}

const ROOT = `$KV.${INCIDENTS_BUCKET}`;

/** In no order; none where there is no bucket. What cannot be read is left out. Throws JetStreamApiError and RequestLostError. */
export async function keptIncidents(
  jetStream: JetStream,
  { cluster, uid }: { readonly cluster: string; readonly uid: string },
  signal: AbortSignal,
): Promise<readonly KeptIncidents[]> {
  const filter_subjects = [`${ROOT}.*.${encodeToken(cluster)}.${encodeToken(uid)}`];
  const keys = Array.fromAsync(
    read(jetStream, { filter_subjects, deliver_policy: "all" }, signal, false, `KV_${INCIDENTS_BUCKET}`),
  );
  return ((await unlessMissing("stream", keys)) ?? []).flatMap(({ message: { subject, data } }) => {
    const record = recordIn(data);
    if (record === undefined) return [];
    const { newest, previous, decisions } = record;
    const subscription = decodeToken(subject.slice(ROOT.length + 1).split(".", 1)[0] ?? "");
    return [{ subscription, newest, decisions, ...(previous && { previous }) }];
  });
}

function recordIn(data: Uint8Array): IncidentRecord | undefined {
  try {
    return IncidentRecord.safeParse(JSON.parse(Buffer.from(data).toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
