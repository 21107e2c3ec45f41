/**
 * How speaking to NATS fails: no answer (the outcome is unknown), a refusal (the outcome is known), and the two reasons for not
 * getting that far.
 */

/** No answer: the connection broke, or the server kept silent for the whole time. Whether it acted is unknown. */
export class RequestLostError extends Error {
  readonly code = "REQUEST_LOST";
  override readonly name = "RequestLostError";
}

/** JetStream refused; `errCode` is its stable number (10071 is a wrong last sequence). */
export class JetStreamApiError extends Error {
  readonly code = "JETSTREAM_API";
  override readonly name = "JetStreamApiError";
  readonly status: number;
  readonly errCode: number;
  constructor(message: string, status: number, errCode: number) {
    super(message);
    this.status = status;
    this.errCode = errCode;
  }
}

/** NATS cannot be reached; it may come. The message says where it was looked for. */
export class NatsUnreachableError extends Error {
  readonly code = "NATS_UNREACHABLE";
  override readonly name = "NatsUnreachableError";
}

/** NATS cannot be used as it is: wrong credentials, too old, or without JetStream. The message says what to do. */
export class NatsUnusableError extends Error {
  readonly code = "NATS_UNUSABLE";
  override readonly name = "NatsUnusableError";
}

const WRONG_LAST_SEQUENCE = 10071;
const UNAVAILABLE = 503;
/** JetStream's numbers for what is not there. */
const NOT_FOUND = { consumer: 10014, message: 10037, sequence: 10043, stream: 10059 } as const;

/** Whether another message came first: `Nats-Expected-Last-Subject-Sequence` did not hold, and nothing was stored. */
export function isWrongLastSequence(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.errCode === WRONG_LAST_SEQUENCE;
}

/** Whether nobody answers for the stream: there is none, it has no leader yet, or no server has JetStream. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status === UNAVAILABLE;
}

/** The answer, or `undefined` when what was asked for does not exist. Throws any other refusal. */
export async function unlessMissing<T>(what: keyof typeof NOT_FOUND, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.errCode === NOT_FOUND[what]) return undefined;
    throw error;
  }
}
