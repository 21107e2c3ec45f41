/**
 * A connection to NATS that can only ask: what would make or change anything is refused here, so that `doctor` writes nothing whatever
 * it calls. A question that this user may not ask ends at once, instead of in silence. One question at a time: the server's
 * refusal does not say which one it is about.
 * Source: NATS authorization (a refused publish is told on the connection, and never answered).
 */
import type { JetStream, NatsMessage } from "#contract";
import { inTime } from "./check.ts";

/** The user may not publish this subject. */
export class NotPermittedError extends Error {
  readonly code = "NOT_PERMITTED";
  override readonly name = "NotPermittedError";
}

/** It would have changed something. */
export class WouldWriteError extends Error {
  readonly code = "WOULD_WRITE";
  override readonly name = "WouldWriteError";
}

const READING_CALL = /^(INFO|(STREAM|CONSUMER)\.INFO\..+|STREAM\.MSG\.GET\..+)$/;
const READING_SUBJECT = /^\$SYS\.REQ\.USER\.INFO$/;

/** The same connection without its ways to write. What it asks rejects with NotPermittedError or DeadlineError as well. */
export function readOnly(jetStream: JetStream): JetStream {
  let last: Promise<unknown> = Promise.resolve();
  const ask = <T>(subject: string, question: () => Promise<T>): Promise<T> => {
    const answer = last.then(() => answerOrRefusal(jetStream, subject, question));
    last = answer.catch(() => undefined);
    return answer;
  };
  const refuse = (what: string) => new WouldWriteError(`${what} would write: it was not sent`);
  return {
    ...jetStream,
    async api<T>(call: string, body?: unknown): Promise<T> {
      if (!READING_CALL.test(call)) throw refuse(`$JS.API.${call}`);
      return await ask(`$JS.API.${call}`, () => jetStream.api<T>(call, body));
    },
    async request(subject): Promise<NatsMessage> {
      if (!READING_SUBJECT.test(subject)) throw refuse(subject);
      return await ask(subject, () => jetStream.request(subject));
    },
    async publish(subject) {
      throw refuse(subject);
    },
    send(subject) {
      throw refuse(subject);
    },
  };
}

async function answerOrRefusal<T>(jetStream: JetStream, subject: string, question: () => Promise<T>): Promise<T> {
  const { promise: refusal, reject } = Promise.withResolvers<never>();
  const stop = jetStream.onConnection((event) => {
    if (event.type === "error" && /permission/i.test(event.message))
      reject(new NotPermittedError(`this user may not publish ${subject}`));
  });
  const answer = question();
  // Whoever loses the race ends some time later, when nobody listens any more.
  for (const late of [answer, refusal]) late.catch(() => undefined);
  try {
    return await inTime(Promise.race([answer, refusal]), subject);
  } finally {
    stop();
  }
}
