/**
 * The bucket CR_SCHEMAS, read: the schemas of kinds as the bridges have published them, one of each cluster. There may be none: a bridge of
 * an older version publishes nothing, and one that could not says so in its log.
 */
import {
  type JetStream,
  type KindSchema,
  kindSchemaKey,
  parseKindSchema,
  SCHEMAS_BUCKET,
  unlessMissing,
} from "#contract";

/** Of which kinds; what is left out is any. */
export type KindPattern = Parameters<typeof kindSchemaKey>[0];

/** Schemas by their subjects. */
export type KindSchemas = ReadonlyMap<string, KindSchema>;

/** Clusters times kinds that one process asks for; more are not read. */
const SCHEMAS_MAX = 2_000;
/** At once: each is up to a megabyte. */
const READS_MAX = 8;

/** The subject of schemas. */
export function schemaSubject(pattern: KindPattern): string {
  return `$KV.${SCHEMAS_BUCKET}.${kindSchemaKey(pattern)}`;
}

/** Reads all schemas of the kinds; none where there is no bucket. Throws JetStreamApiError and RequestLostError. */
export async function readKindSchemas(jetStream: JetStream, patterns: readonly KindPattern[]): Promise<KindSchemas> {
  const subjects = new Set<string>();
  for (const subjects_filter of new Set(patterns.map(schemaSubject))) {
    const asked = jetStream.api<{ state: { subjects?: Record<string, number> } }>(`STREAM.INFO.KV_${SCHEMAS_BUCKET}`, {
      subjects_filter,
    });
    const info = await unlessMissing("stream", asked);
    for (const subject of Object.keys(info?.state.subjects ?? {}))
      if (subjects.size < SCHEMAS_MAX) subjects.add(subject);
  }
  const found = new Map<string, KindSchema>();
  const left = [...subjects];
  while (left.length > 0) {
    const batch = left.splice(0, READS_MAX);
    const schemas = await Promise.all(batch.map((subject) => readKindSchema(jetStream, subject)));
    for (const [index, schema] of schemas.entries()) if (schema !== undefined) found.set(batch[index] ?? "", schema);
  }
  return found;
}

async function readKindSchema(jetStream: JetStream, subject: string): Promise<KindSchema | undefined> {
  const asked = jetStream.api<{ message: { data?: string } }>(`STREAM.MSG.GET.KV_${SCHEMAS_BUCKET}`, {
    last_by_subj: subject,
  });
  const stored = await unlessMissing("message", asked);
  return stored && parseKindSchema(Buffer.from(stored.message.data ?? "", "base64"));
}
