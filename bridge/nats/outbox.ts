/**
 * What is to be sent to NATS, kept until the event loop has handled what has come in: then it goes out in one piece. A write to a socket costs
 * more than making an event, on both sides, so what one read has brought (dozens of watch events, acknowledgements) must not make as many
 * writes. Nothing waits for a timer: at the latest it goes when the loop is through with what it is at.
 */

/** A message on its way out. */
export interface Outgoing {
  readonly subject: string;
  readonly payload: string | Uint8Array;
  readonly reply?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Hears why it cannot be sent at all, such as that it is too large. */
  readonly onRefusal?: (error: Error) => void;
}

/** The messages of one connection, in their order. */
export interface Outbox {
  put(message: Outgoing): void;
  /** Sends what is there, now. */
  flush(): void;
  /** Forgets what is there: the connection it was for is gone. */
  clear(): void;
}

/** Makes an empty outbox; what `send` throws is a refusal of the one message. */
export function createOutbox(send: (message: Outgoing) => void): Outbox {
  let waiting: Outgoing[] = [];
  const flush = () => {
    const messages = waiting;
    waiting = [];
    for (const message of messages) {
      try {
        send(message);
      } catch (error) {
        message.onRefusal?.(error as Error);
      }
    }
  };
  return {
    put(message) {
      if (waiting.push(message) === 1) setImmediate(flush);
    },
    flush,
    clear() {
      waiting = [];
    },
  };
}

/** A message's headers as NATS wants them (ADR-4). Throws an Error about a value with a line break, which would be a header of its own. */
export function encodeHeaders(values: Readonly<Record<string, string>>): Uint8Array {
  let text = "NATS/1.0\r\n";
  for (const name in values) {
    const value = values[name] ?? "";
    if (/[\r\n]/.test(value)) throw new Error(`the header ${name} cannot be sent: it has a line break`);
    text += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${text}\r\n`);
}
