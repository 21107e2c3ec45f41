/**
 * The promise about incidents in Slack, under chance: several objects fail, change and recover over and over, while calls are lost before
 * and after they took effect, Slack refuses for a while, processes are killed between an effect and its record, and receipts are lost.
 * At the end a bot has one thread for each incident with every event in it once, and the first message tells the true last state; a
 * webhook has one message too many for each whose answer or record was lost, and no other. The seed is in the test's name.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { outcomeOf } from "../../functions/kit/outcome.ts";
import type { StepMemory } from "../../functions/kit/step/step-memory.ts";
import notifySlack from "../../functions/notify-slack.ts";
import type { Fault } from "../kit/misbehaviour.ts";
import { createRandom, type Random } from "../kit/random.ts";
import { type SlackServer, startSlack } from "../kit/slack-server.ts";
import { sampleEvent } from "./actions/sample-event.ts";
import { type IncidentStage, type Remembered, rememberingContext, remembersNothing } from "./remembered.ts";

const OBJECTS = 4;
const INCIDENTS = 4;
const SEEDS = [1, 2, 3, 4, 5];
/** Tries of one event; the kit's own limit would make dead letters of some. */
const TRIES_MAX = 200;

/** What a call meets, most often nothing. */
const FAULTS: readonly Fault[] = [
  "none",
  "none",
  "none",
  "none",
  "lose-answer",
  "fail-answer",
  "empty-answer",
  "cut-answer",
  "reset",
  { status: 429, headers: { "retry-after": "1" } },
  { status: 503 },
  { status: 200, body: '{"ok":false,"error":"internal_error"}' },
  { status: 200, body: '{"ok":false,"error":"ratelimited"}', headers: { "retry-after": "1" } },
  { status: 200, body: "<html>a proxy says hello</html>" },
];
const WEBHOOK_FAULTS = FAULTS.filter((fault) => typeof fault === "string" || fault.status !== 200);

/** One event of an incident. */
interface Chapter {
  readonly type: IncidentStage["type"];
  readonly updateCount: number;
}

/** An object's life: one incident after another, each with some updates. */
function lifeOf(random: Random): Chapter[][] {
  return Array.from({ length: INCIDENTS }, (_, number) => {
    const updates = Math.floor(random.between(0, 4));
    const open: Chapter[] = [
      { type: "opened", updateCount: 0 },
      ...Array.from({ length: updates }, (_, i) => ({ type: "updated", updateCount: i + 1 }) as const),
    ];
    const isStillOpen = number === INCIDENTS - 1 && random.next() < 0.5;
    return isStillOpen ? open : [...open, { type: "resolved", updateCount: updates }];
  });
}

/** What went wrong so far that can repeat an effect. */
interface Losses {
  answers: number;
  records: number;
  /** Messages that were taken by a try which failed all the same. */
  messages: number;
}

/** A memory whose process is killed now and then between a step's effect and its record. */
function killedAtTimes(memory: StepMemory, random: Random, losses: Losses): StepMemory {
  return {
    async claim(key, options) {
      const found = await memory.claim(key, options);
      if ("type" in found) return found;
      return {
        ...found,
        async record(end) {
          if (random.next() >= 0.1) return await found.record(end);
          losses.records++;
          await found.release();
          throw new Error("killed before the step was recorded");
        },
      };
    },
  };
}

interface World {
  readonly slack: SlackServer;
  readonly random: Random;
  readonly config: unknown;
  readonly faults: readonly Fault[];
  readonly losses: Losses;
}

/** Tells one chapter, trying again as the kit does. */
async function tell(world: World, object: number, incident: number, chapter: Chapter, kept: Remembered): Promise<void> {
  const { slack, random, losses, faults } = world;
  const key = `databases/${object}/${incident}`;
  const failing = { before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } } };
  const event = {
    ...sampleEvent(chapter.type === "resolved" ? { before: failing.after, after: failing.before } : failing),
    id: `${key}.${chapter.type}.${chapter.updateCount}`,
    recordedtime: new Date().toISOString(),
  };
  const steps = killedAtTimes(kept.steps, random, losses);
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    const fault = random.pick(faults);
    if (fault === "lose-answer" || fault === "fail-answer") losses.answers++;
    if (random.next() < 0.5) slack.next("none");
    slack.next(fault);
    if (random.next() < 0.05) delete kept.receipts["slack"];
    const taken = slack.messages.length;
    const context = rememberingContext(event, world.config as never, { ...kept, steps }, { ...chapter, key });
    try {
      await notifySlack.run({ ...context, attempt });
      return;
    } catch (error) {
      losses.messages += slack.messages.length - taken;
      assert.equal(outcomeOf(error).type, "retry", String(error));
    }
  }
  assert.fail(`${event.id} did not come through`);
}

/** Lets every object live its life, chapter by chapter, in an order of chance. Answers what was told. */
async function live(world: World): Promise<{ key: string; chapters: Chapter[] }[]> {
  const told: { key: string; chapters: Chapter[] }[] = [];
  const lives = Array.from({ length: OBJECTS }, (_, object) => {
    const queue = lifeOf(world.random).flatMap((chapters, incident) => {
      told.push({ key: `databases/${object}/${incident}`, chapters });
      const kept = remembersNothing();
      return chapters.map((chapter) => () => tell(world, object, incident, chapter, kept));
    });
    return { queue };
  });
  for (;;) {
    const left = lives.filter(({ queue }) => queue.length > 0);
    if (left.length === 0) return told;
    await world.random.pick(left).queue.shift()?.();
  }
}

describe("under random faults", () => {
  for (const seed of SEEDS) {
    test(`a bot ends with one thread for each incident, and its true last state (seed ${seed})`, async (t) => {
      await using slack = await startSlack();
      process.env["TEST_SLACK_RANDOM"] = slack.token;
      const config = notifySlack.config.parse({
        botToken: { env: "TEST_SLACK_RANDOM" },
        channel: slack.channelId,
        slackApiUrl: slack.apiUrl,
      });
      const losses: Losses = { answers: 0, records: 0, messages: 0 };
      const told = await live({ slack, random: createRandom(seed), config, faults: FAULTS, losses });
      const firsts = slack.messages.filter(({ threadTs }) => threadTs === undefined);
      assert.deepEqual(firsts.map(({ key }) => key).toSorted(), told.map(({ key }) => key).toSorted());
      for (const { key, chapters } of told) {
        const first = firsts.find((message) => message.key === key);
        const isOver = chapters.at(-1)?.type === "resolved";
        assert.equal(first?.attachments[0]?.color, isOver ? "good" : "danger", key);
        const replies = slack.messages.filter(({ threadTs }) => threadTs === first.ts);
        assert.equal(replies.length, chapters.length - 1, key);
        assert.equal(new Set(replies.map((reply) => reply.key)).size, replies.length, key);
      }
      t.diagnostic(
        `${told.length} incidents, ${slack.requests.length} calls, ${losses.answers} answers and ${losses.records} records lost`,
      );
    });

    test(`a webhook ends with one message too many for each that was taken and whose answer or record was lost (seed ${seed})`, async (t) => {
      await using slack = await startSlack();
      process.env["TEST_SLACK_RANDOM"] = slack.webhookUrl;
      const config = notifySlack.config.parse({ webhookUrl: { env: "TEST_SLACK_RANDOM" } });
      const losses: Losses = { answers: 0, records: 0, messages: 0 };
      const told = await live({ slack, random: createRandom(seed), config, faults: WEBHOOK_FAULTS, losses });
      const wanted = told.flatMap(({ chapters }) => chapters.filter(({ type }) => type !== "updated")).length;
      const tooMany = slack.messages.length - wanted;
      assert.equal(tooMany, losses.messages);
      assert.ok(tooMany <= losses.answers + losses.records);
      t.diagnostic(
        `${wanted} messages wanted, ${tooMany} too many; ${losses.answers} answers and ${losses.records} records lost`,
      );
    });
  }
});
