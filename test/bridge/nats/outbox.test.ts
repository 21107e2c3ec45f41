import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createOutbox, encodeHeaders, type Outgoing } from "../../../bridge/nats/outbox.ts";

/** What was sent, in order. */
function recording(refused = "") {
  const sent: string[] = [];
  const outbox = createOutbox(({ subject }: Outgoing) => {
    if (subject === refused) throw new Error(`${subject} is too large`);
    sent.push(subject);
  });
  return { sent, outbox };
}

describe("the outbox", () => {
  test("sends what one turn of the event loop has brought at its end, in order and without being told", async () => {
    const { sent, outbox } = recording();
    for (const subject of ["a", "b"]) outbox.put({ subject, payload: "" });
    await Promise.resolve();
    outbox.put({ subject: "c", payload: "" });
    assert.deepEqual(sent, []);
    await turn();
    assert.deepEqual(sent, ["a", "b", "c"]);
    outbox.put({ subject: "d", payload: "" });
    await turn();
    assert.deepEqual(sent, ["a", "b", "c", "d"]);
  });

  test("tells of one that cannot be sent, and sends the others", async () => {
    const { sent, outbox } = recording("b");
    const refusals: string[] = [];
    for (const subject of ["a", "b", "c"])
      outbox.put({ subject, payload: "", onRefusal: ({ message }) => refusals.push(message) });
    await turn();
    assert.deepEqual([sent, refusals], [["a", "c"], ["b is too large"]]);
  });

  test("sends at once what is there when it is to be closed, and nothing of a connection that is gone", async () => {
    const { sent, outbox } = recording();
    outbox.put({ subject: "lost", payload: "" });
    outbox.clear();
    outbox.put({ subject: "last", payload: "" });
    outbox.flush();
    assert.deepEqual(sent, ["last"]);
    await turn();
    assert.deepEqual(sent, ["last"]);
  });

  test("a header with a line break is refused: it would be a header of its own", () => {
    assert.equal(Buffer.from(encodeHeaders({ "Nats-Msg-Id": "ü" })).toString(), "NATS/1.0\r\nNats-Msg-Id: ü\r\n\r\n");
    assert.throws(() => encodeHeaders({ "X-A": "a\r\nNats-Rollup: all" }), /the header X-A cannot be sent/);
  });
});
