/**
 * The compare-and-set of a key-value bucket, for the memories of functions: a write names the revision that it replaces. A bucket that is
 * missing, because nobody has written yet or NATS was wiped, is made.
 * Source: NATS ADR-8 (key-value); JetStream, `Nats-Expected-Last-Subject-Sequence`.
 */
import { isUnavailable, isWrongLastSequence, type JetStream } from "#contract";

/** What to write. */
export interface RevisionWrite {
  readonly subject: string;
  readonly payload: string;
  /** The sequence of what is replaced; 0: nothing is there. */
  readonly revision: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Resolves to the new revision, or to `undefined` when somebody else wrote first. Throws JetStreamApiError and RequestLostError. */
export async function writeRevision(
  jetStream: JetStream,
  { subject, payload, revision, headers }: RevisionWrite,
  makeBucket: () => Promise<void>,
): Promise<number | undefined> {
  const publish = () =>
    jetStream.publish(subject, payload, { "Nats-Expected-Last-Subject-Sequence": String(revision), ...headers });
  try {
    const stored = await publish().catch(async (error: unknown) => {
      if (!isUnavailable(error)) throw error;
      await makeBucket();
      return await publish();
    });
    return stored.seq;
  } catch (error) {
    if (isWrongLastSequence(error)) return undefined;
    throw error;
  }
}
