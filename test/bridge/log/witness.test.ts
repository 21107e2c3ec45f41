import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EventLog } from "../../../bridge/log/event-log.ts";
import { createStore } from "../../../bridge/log/store.ts";
import { isWitnessed, startWitnessing } from "../../../bridge/log/witness.ts";
import type { ConnectionEvent } from "../../../bridge/nats/jetstream.ts";
import { JetStreamApiError, RequestLostError } from "../../../bridge/nats/jetstream-error.ts";
import { existing } from "../../functions/kit/event-factory.ts";

const { envelope } = existing({ name: "orders" });
const [uid = ""] = envelope.id.split(".");
const witness = { sequence: 7, id: envelope.id };

/** A log that answers this; `journey/lost-log.test.ts` has the real one. */
const logThat = (eventAt: EventLog["eventAt"]): Pick<EventLog, "eventAt"> => ({ eventAt });
const nothing = async () => undefined;

/** A store that knows the object's newest event. */
function storeAt(sequence: number) {
  const store = createStore(0);
  store.set("key", { uid, resourceVersion: "9", sequence, fence: sequence, absence: undefined });
  return store;
}

describe("the log", () => {
  const rows = [
    {
      name: "that has the witness is what it was",
      eventAt: async () => ({ sequence: 7, bytes: 1, envelope }),
      expected: true,
    },
    {
      name: "that has another event in its place has lost events",
      eventAt: async () => ({ sequence: 7, bytes: 1, envelope: { ...envelope, id: "other.1" } }),
      expected: false,
    },
    { name: "that has nothing in its place has lost events", eventAt: nothing, store: storeAt(7), expected: false },
    {
      name: "that has something newer of its object has merely forgotten it",
      eventAt: nothing,
      store: storeAt(8),
      expected: true,
    },
    {
      name: "that is gone has lost everything",
      eventAt: () => Promise.reject(new JetStreamApiError("stream not found", 404, 10059)),
      expected: false,
    },
  ];
  for (const { name, eventAt, store = createStore(0), expected } of rows) {
    test(name, async () => assert.equal(await isWitnessed(logThat(eventAt), store, witness), expected));
  }

  test("without any acknowledged event has lost none", async () => {
    assert.equal(await isWitnessed(logThat(nothing), createStore(0), { sequence: 0, id: "" }), true);
  });

  test("that does not answer says nothing about itself", async () => {
    const silent = logThat(() => Promise.reject(new RequestLostError("no answer")));
    await assert.rejects(isWitnessed(silent, createStore(0), witness), RequestLostError);
  });

  describe("when NATS is back", () => {
    /** Answers a question after the other; the last answer stands. */
    function ask(answers: readonly EventLog["eventAt"][]) {
      let tell: (event: ConnectionEvent) => void = () => undefined;
      let asked = 0;
      const jetStream = {
        connected: true,
        onConnection: (listener: typeof tell) => {
          tell = listener;
          return () => undefined;
        },
      };
      const { promise: lost, resolve: onLost } = Promise.withResolvers<void>();
      const witnessing = startWitnessing(
        {
          jetStream,
          log: logThat(
            (sequence) => answers[Math.min(asked++, answers.length - 1)]?.(sequence) ?? assert.fail("asked"),
          ),
          store: createStore(0),
          witness: () => witness,
          onLost,
          signal: new AbortController().signal,
        },
        { firstMs: 1, maxMs: 1, resetAfterMs: 1_000 },
      );
      return { jetStream, tell: (event: ConnectionEvent) => tell(event), lost, asked: () => asked, witnessing };
    }
    const silence = () => Promise.reject(new RequestLostError("no answer"));
    const leaderless = () => Promise.reject(new JetStreamApiError("no leader yet", 503, 0));

    test("what is lost is noticed at once", async () => {
      const { tell, lost } = ask([nothing]);
      tell({ type: "connected" });
      await lost;
    });

    test("and does not answer yet, it is asked until it does", async () => {
      const { tell, lost, asked, witnessing } = ask([silence, leaderless, nothing]);
      assert.ok(!witnessing.isAsking);
      tell({ type: "connected" });
      tell({ type: "connected" });
      assert.ok(witnessing.isAsking, "from the moment that the connection is there");
      await lost;
      assert.equal(asked(), 3);
    });

    test("and goes again, it is asked when it is back, not before", async () => {
      const { jetStream, tell, lost, asked } = ask([silence, nothing]);
      jetStream.connected = false;
      tell({ type: "connected" });
      tell({ type: "disconnected" });
      await new Promise(setImmediate);
      assert.equal(asked(), 0);
      jetStream.connected = true;
      tell({ type: "connected" });
      await lost;
    });
  });
});
