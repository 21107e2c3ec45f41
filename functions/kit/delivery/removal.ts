/**
 * Takes one message off a stream. What is gone already is no error.
 * Source: JetStream API, `$JS.API.STREAM.MSG.DELETE`.
 */
import { type JetStream, JetStreamApiError, unlessMissing } from "#contract";

/** What the server says of a message that was removed before. */
const NO_MESSAGE = 10_057;

/** Removes a message of a stream. Resolves to whether it was there. */
export async function removeFrom(jetStream: JetStream, stream: string, sequence: number): Promise<boolean> {
  const removing = jetStream.api(`STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true });
  try {
    return (await unlessMissing("sequence", removing)) !== undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === NO_MESSAGE) return false;
    throw error;
  }
}
