import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { NatsMessage } from "../../../../bridge/nats/jetstream.ts";
import { defineFunction } from "../../../../functions/kit/define.ts";
import { letterOf, readDeadLetter, sealDeadLetter } from "../../../../functions/kit/delivery/dead-letter.ts";
import { bind, Subscription } from "../../../../functions/kit/subscription.ts";

const letter = { subscription: "db-failed", function: "notify-slack", reason: "x", attempts: 8, streamSequence: 41 };

const binding = bind(
  Subscription.parse({ name: "db-failed", function: "notify-slack", apiVersion: "g/v1", kind: "K" }),
  defineFunction({ name: "notify-slack", description: "A test's.", config: z.any(), run: async () => undefined }),
);

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
    const read = readDeadLetter({ subject, header: (name) => headers[name] });
    const present = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
    assert.deepEqual(present, { ...letter, subject: "cr.lab.g.K.ns.n.created._._._.07", payloadOmitted: false });
  });

  test("tells what the error was caused by, by name and message, without stacks and without end", () => {
    const told = (cause: unknown) => {
      const error = new Error("no ticket", { cause });
      return letterOf(
        binding,
        { message: messageOf(1), streamSequence: 41 },
        { type: "dead-letter", error, attempts: 2 },
      ).causes;
    };
    const refused = new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") });
    assert.equal(told(refused), "TypeError: fetch failed; Error: ECONNREFUSED");
    assert.equal(told({ token: "s3cret" }), "object");
    assert.equal(told(undefined), undefined);
    const endless = new Error("round");
    endless.cause = endless;
    assert.equal(told(endless)?.split("; ").length, 5);
  });

  test("says when it was tried first and last, and of which retry it is the end", () => {
    const settled = { type: "dead-letter", error: new Error("no"), attempts: 8, firstTriedMs: 1_000 } as const;
    const facts = letterOf(binding, { message: messageOf(1), streamSequence: 41, retryOf: 7 }, settled);
    const { subject, headers } = sealDeadLetter(facts, messageOf(1), 1_048_576);
    const read = readDeadLetter({ subject, header: (name) => headers[name] });
    assert.equal(read.firstTriedAt, "1970-01-01T00:00:01.000Z");
    assert.ok(Date.parse(read.lastTriedAt ?? "") > 1_000);
    assert.deepEqual([read.error, read.retryOf, headers["Nats-Msg-Id"]], ["Error", 7, "db-failed/41/retry-7"]);
  });

  test("a message that is no dead letter is refused", () => {
    assert.throws(() => readDeadLetter({ subject: "crdead.x", header: () => undefined }));
  });
});
