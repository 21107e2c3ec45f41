/**
 * Questions that wait for their one reply. Each ends: in its reply, or in a RequestLostError when the connection broke or the time
 * was up. One timer watches all of them, because thousands may be open.
 */
import { RequestLostError } from "./jetstream-error.ts";

/** The open questions of one connection. */
export interface ReplyBox<Reply> {
  /** Sends a question with a token for its reply. What `refuse` is called with is the answer. */
  ask(subject: string, send: (token: string, refuse: (error: Error) => void) => void): Promise<Reply>;
  /** Hands a reply to whoever asked; one that nobody waits for any more is dropped. */
  deliver(token: string, reply: Reply): void;
  /** Ends every open question. */
  loseAll(reason: string): void;
  close(reason: string): void;
}

interface Question<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly subject: string;
  readonly deadlineMs: number;
}

/** How often overdue questions are looked for. */
const SWEEP_INTERVAL_MS = 1_000;

/** Makes an empty box whose questions wait at most `timeoutMs`, to the next full second. */
export function createReplyBox<Reply>(timeoutMs: number): ReplyBox<Reply> {
  const open = new Map<string, Question<Reply>>();
  let nextToken = 0;

  const take = (token: string): Question<Reply> | undefined => {
    const question = open.get(token);
    open.delete(token);
    return question;
  };
  const loseAll = (reason: string) => {
    for (const { reject, subject } of open.values())
      reject(new RequestLostError(`${reason}: no answer from ${subject}`));
    open.clear();
  };
  // Questions are kept in the order of their deadlines.
  const sweep = setInterval(() => {
    const now = Date.now();
    for (const [token, { deadlineMs, subject }] of open) {
      if (deadlineMs > now) break;
      take(token)?.reject(new RequestLostError(`${subject} kept silent for ${timeoutMs / 1000} s`));
    }
  }, SWEEP_INTERVAL_MS);
  return {
    ask(subject, send) {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      const token = (nextToken++).toString(36);
      open.set(token, { resolve, reject, subject, deadlineMs: Date.now() + timeoutMs });
      send(token, (error) => take(token)?.reject(error));
      return promise;
    },
    deliver: (token, reply) => take(token)?.resolve(reply),
    loseAll,
    close(reason) {
      clearInterval(sweep);
      loseAll(reason);
    },
  };
}
