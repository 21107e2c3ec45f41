import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NatsMessage } from "../../../../bridge/jetstream.ts";
import { readDeadLetter, sealDeadLetter } from "../../../../functions/kit/delivery/dead-letter.ts";

const letter = { subscription: "db-failed", function: "notify-slack", reason: "x", attempts: 8, streamSequence: 41 };

function messageOf(payloadBytes: number, contentType?: string): NatsMessage {
  return {
    ...{ subject: "cr.lab.g.K.ns.n.created._._._.07", reply: undefined, status: 0, description: "" },
    data: new Uint8Array(payloadBytes),
    header: (name) => (name === "content-type" ? contentType : undefined),
  };
}

describe("a dead letter", () => {
  for (const { name, reason, expected } of [
    { name: "line breaks cannot begin another header", reason: "a\r\nNats-Msg-Id: b", expected: "a Nats-Msg-Id: b" },
    { name: "control characters and separators go", reason: "a\u0000\u2028b\t c", expected: "a b c" },
    { name: "a reason that says nothing is told as such", reason: " \n", expected: "(no reason given)" },
    { name: "letters of any language stay", reason: "Größe → 大", expected: "Größe → 大" },
    { name: "a long reason is cut", reason: "x".repeat(5_000), expected: `${"x".repeat(999)}…` },
  ]) {
    test(name, () => {
      const { headers } = sealDeadLetter({ ...letter, reason }, messageOf(1), 1_048_576);
      assert.equal(headers["Cr-Reason"], expected);
    });
  }

  test("an event that would not fit beside the headers is left in the log, and the letter says so", () => {
    const { payload, headers, subject } = sealDeadLetter(letter, messageOf(1_048_000), 1_048_576);
    assert.equal(payload.length, 0);
    const read = readDeadLetter({ subject, header: (name) => headers[name] });
    assert.deepEqual([read.payloadOmitted, read.streamSequence], [true, 41]);
  });

  test("reads back what was written, without a media type where the event had none", () => {
    const { subject, headers } = sealDeadLetter(letter, messageOf(1), 1_048_576);
    assert.equal(subject, "crdead.db-failed.cr.lab.g.K.ns.n.created._._._.07");
    const { contentType, ...read } = readDeadLetter({ subject, header: (name) => headers[name] });
    assert.equal(contentType, undefined);
    assert.deepEqual(read, { ...letter, subject: "cr.lab.g.K.ns.n.created._._._.07", payloadOmitted: false });
  });

  test("a message that is no dead letter is refused", () => {
    assert.throws(() => readDeadLetter({ subject: "crdead.x", header: () => undefined }));
  });
});
