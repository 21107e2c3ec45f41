/** Dead letters that are tried again, on a real nats-server: what happens to the letter, to its steps, and to what comes meanwhile. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { openEventLog } from "../../../../bridge/log/event-log.ts";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { blobsStream, ensureStream, StreamSettings } from "../../../../bridge/nats/stream.ts";
import {
  dropLetter,
  ensureRetries,
  findLetter,
  isRetryDeskOpen,
  orderedRetries,
  orderRetry,
  readLetters,
} from "../../../../functions/kit/delivery/dead-letter-box.ts";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import { eventAbout, filler, keyOf, largeObject } from "../../../bridge/large-event.ts";
import { until } from "../../../kit/until.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";
import { door, type Run, type StartOptions, startRig } from "./rig.ts";

const scaled = (name: string, replicas: number) =>
  event.updated({ name, spec: { replicas: replicas - 1 } }, { name, spec: { replicas } });

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const { jetStream } = rig;
  const letters = () => Array.fromAsync(readLetters(jetStream, {}, AbortSignal.timeout(60_000)));
  return {
    ...rig,
    letters,
    async retry(number: number) {
      const found = await findLetter(jetStream, number);
      assert.ok(found);
      await ensureRetries(jetStream);
      return await orderRetry(jetStream, found);
    },
    async untilRetried(count: number) {
      await until(async () => {
        const { state } = await jetStream.api<{ state: { messages: number; last_seq: number } }>(
          "STREAM.INFO.CR_RETRIES",
        );
        return state.messages === 0 && state.last_seq >= count;
      });
    },
    /** Runs until there are letters, then stops. */
    async bury(run: Run, count: number, options: StartOptions = {}) {
      const running = rig.start(run, { attempts: 1, ...options });
      await until(() => running.status().deadLetters === count);
      await rig.untilAcked();
      await running.stop();
    },
  };
}

const refuse: Run = async () => {
  throw new PermanentError("no such channel");
};

describe("whether somebody is there to try again", () => {
  const rows = [
    { name: "who waits is", waiting: [1], expected: true },
    { name: "who is between two requests is as well", waiting: [0, 1], expected: true },
    { name: "nobody is not, looked at however often", waiting: [0, 0, 0], expected: false },
  ];
  for (const { name, waiting, expected } of rows) {
    test(name, async () => {
      const answers = [...waiting];
      const consumer = { num_ack_pending: 0, config: { filter_subject: "crretry.test.>" } };
      const api = async () => ({ total: 1, consumers: [{ ...consumer, num_waiting: answers.shift() }] });
      const jetStream = { api } as Partial<JetStream> as JetStream;
      assert.equal(await isRetryDeskOpen(jetStream, "test"), expected);
      assert.deepEqual(answers, []);
    });
  }
});

describe("a dead letter that is tried again", () => {
  test("succeeds, with fresh tries, and is gone; the log's own place did not move", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1), scaled("b", 1));
    await scene.bury(refuse, 2);
    const [first] = await scene.letters();
    assert.equal(await scene.retry(first?.number ?? 0), true);
    const seen: string[] = [];
    const running = scene.start(
      async ({ object, attempt, event: { id } }) =>
        void seen.push(`${object.metadata.name} ${attempt} ${id.length > 0}`),
    );
    await scene.untilRetried(1);
    assert.deepEqual(seen, ["a 1 true"]);
    assert.deepEqual(
      (await scene.letters()).map(({ number }) => number),
      [2],
    );
    assert.equal(running.status().done, 1);
    assert.equal((await scene.consumer()).num_ack_pending, 0);
  });

  test("fails again, and is replaced by a letter that names it", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.retry(1);
    const running = scene.start(
      async ({ attempt }) => {
        throw new Error(`try ${attempt}`);
      },
      { attempts: 2 },
    );
    await scene.untilRetried(1);
    const [letter, ...others] = await scene.letters();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [letter?.number, letter?.letter.retryOf, letter?.letter.reason, letter?.letter.attempts],
      [2, 1, "try 2", 2],
    );
    assert.equal(running.status().deadLetters, 1);
    const whole = await findLetter(scene.jetStream, 2);
    assert.ok(Buffer.from(whole?.payload ?? "").includes('"specversion"'));
  });

  test("does not run the steps again that it had finished", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    const effects: string[] = [];
    const run =
      (isOpen: boolean): Run =>
      async ({ step }) => {
        await step("open", () => {
          effects.push("open");
        });
        if (!isOpen) throw new PermanentError("no such channel");
        await step("tell", () => {
          effects.push("tell");
        });
      };
    await scene.bury(run(false), 1);
    await scene.retry(1);
    scene.start(run(true));
    await scene.untilRetried(1);
    assert.deepEqual(effects, ["open", "tell"]);
  });

  test("waits for its object's turn, and what comes of the object waits for it", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.publish(scaled("a", 2));
    const gates = [door(), door()];
    const order: string[] = [];
    let active = 0;
    scene.start(async ({ object }) => {
      assert.equal(++active, 1);
      order.push(`a${replicasOf(object)}`);
      await gates.shift()?.passed;
      active--;
    });
    const [first, second] = [...gates];
    await until(() => order.length === 1);
    await scene.retry(1);
    await until(async () => {
      const info = await scene.jetStream.api<{ num_ack_pending: number }>("CONSUMER.INFO.CR_RETRIES.cr-test");
      return info.num_ack_pending === 1;
    });
    assert.deepEqual(order, ["a2"]);
    first?.open();
    await until(() => order.length === 2);
    await scene.publish(scaled("a", 3));
    await until(async () => (await scene.consumer()).num_ack_pending === 1);
    assert.deepEqual(order, ["a2", "a1"]);
    second?.open();
    await until(() => order.length === 3);
    assert.deepEqual(order, ["a2", "a1", "a3"]);
    await scene.untilRetried(1);
  });

  test("is ordered once, however often it is asked for", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    assert.deepEqual([await scene.retry(1), await scene.retry(1)], [true, false]);
    assert.deepEqual([...(await orderedRetries(scene.jetStream, "test"))], [1]);
    let runs = 0;
    scene.start(async () => void runs++);
    await scene.untilRetried(1);
    assert.equal(runs, 1);
    assert.deepEqual([...(await orderedRetries(scene.jetStream, "test"))], []);
  });

  test("was dropped meanwhile: nothing runs", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.retry(1);
    assert.equal(await dropLetter(scene.jetStream, 1), true);
    assert.equal(await dropLetter(scene.jetStream, 1), false);
    let runs = 0;
    scene.start(async () => void runs++);
    await scene.untilRetried(1);
    assert.equal(runs, 0);
  });

  test("does not match the subscription any more: the letter stays", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.retry(1);
    const running = scene.start(async () => undefined, { when: { namespaces: ["elsewhere"] } });
    await scene.untilRetried(1);
    assert.equal((await scene.letters()).length, 1);
    assert.ok(running.lines.some(({ msg }) => /does not match the subscription any more/.test(msg)));
  });

  test("goes to its subscription alone", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    const seen: string[] = [];
    const other = scene.start(async ({ subscription }) => void seen.push(subscription), {
      name: "other",
      start: "now",
    });
    await until(() => other.status().state === "running");
    await scene.retry(1);
    scene.start(async ({ subscription }) => void seen.push(subscription));
    await scene.untilRetried(1);
    assert.deepEqual(seen, ["test"]);
  });

  test("whose process stops in the middle goes to the next one", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.retry(1);
    let begun = false;
    const first = scene.start(
      async () => {
        begun = true;
        await new Promise(() => undefined);
      },
      { limits: { drainMs: 0, graceMs: 0 } },
    );
    await until(() => begun);
    await first.stop();
    assert.equal((await scene.letters()).length, 1);
    const attempts: number[] = [];
    scene.start(async ({ attempt }) => void attempts.push(attempt));
    await scene.untilRetried(1);
    assert.deepEqual([attempts, (await scene.letters()).length], [[2], 0]);
  });

  test("that ended its processes is given up without being run once more", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await scene.publish(scaled("a", 1));
    await scene.bury(refuse, 1);
    await scene.retry(1);
    while ((await takeAndLose(scene.jetStream)) < 2);
    let runs = 0;
    scene.start(async () => void runs++, { attempts: 2 });
    await scene.untilRetried(1);
    const letters = await scene.letters();
    assert.deepEqual(
      letters.map(({ number, letter }) => [number, letter.retryOf, letter.reason]),
      [[2, 1, "the process ended 2 times while it handled this event"]],
    );
    assert.equal(runs, 0);
  });

  test("whose data is in the object store gets it whole", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    await ensureStream(scene.jetStream, blobsStream(StreamSettings.parse({})));
    const large = eventAbout("created", largeObject("1", filler(1_400_000, "one")));
    await openEventLog(scene.jetStream).append(keyOf(large), large, 0);
    await scene.bury(refuse, 1);
    const letter = await findLetter(scene.jetStream, 1);
    assert.match(Buffer.from(letter?.payload ?? "").toString(), /"dataref":/);
    await scene.retry(1);
    const seen: unknown[] = [];
    scene.start(async ({ object }) => void seen.push(object["spec"]));
    await scene.untilRetried(1);
    assert.deepEqual(seen, [large.after.object["spec"]]);
  });
});

/** Takes an order and lets go of it, as a process does that dies; answers how often it was delivered. */
async function takeAndLose(jetStream: JetStream): Promise<number> {
  const inbox = jetStream.newInbox();
  let reply: string | undefined;
  const unsubscribe = jetStream.subscribe(inbox, (message) => {
    if (message.status === 0) reply = message.reply;
  });
  const request = JSON.stringify({ batch: 1, expires: 5e9 });
  jetStream.send("$JS.API.CONSUMER.MSG.NEXT.CR_RETRIES.cr-test", request, inbox);
  await until(() => reply !== undefined);
  unsubscribe();
  await jetStream.request(reply ?? "", '-NAK {"delay": 1000000}');
  return Number(reply?.split(".")[4]);
}
