import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createEventSeries, type KubeEvent } from "../../../bridge/kube/event-series.ts";

const MINUTE_MS = 60_000;
const event = (about: string, type: KubeEvent["type"] = "Warning"): KubeEvent => ({
  ...{ type, reason: "WatchForbidden", action: "Watch", about, note: `${about} may not be read` },
});

/** A clock that only `pass` moves. */
function open() {
  let nowMs = Date.UTC(2026, 10, 21);
  const all = createEventSeries(() => nowMs);
  return {
    ...all,
    pass(minutes: number) {
      nowMs += minutes * MINUTE_MS;
    },
    told: (about: string, type?: KubeEvent["type"]) => all.observe(event(about, type)).type,
    countsDue: () => all.due().map(({ event: { about }, count }) => `${about} ${count}`),
  };
}

describe("what happens again", () => {
  test("is written the first and the second time, then every 30 minutes, and counted in between", () => {
    const { told, pass } = open();
    const said = [told("a"), told("a"), told("a")];
    for (let minutes = 0; minutes < 60; minutes += 5) {
      pass(5);
      said.push(told("a"));
    }
    const written = said.flatMap((type, place) => (type === "write" ? [place] : []));
    assert.deepEqual(written, [0, 1, 8, 14]);
  });

  test("is written a last time when it has not happened for 6 minutes, and is a new Event after that", () => {
    const { told, pass, countsDue } = open();
    for (let times = 0; times < 9; times++) told("a");
    told("once");
    pass(5);
    assert.deepEqual(countsDue(), []);
    pass(1);
    assert.deepEqual(countsDue(), ["a 9"]);
    assert.deepEqual(countsDue(), []);
    assert.equal(told("a"), "write");
    assert.equal(told("a"), "write");
  });

  test("about something else, or of another type, is another Event", () => {
    const { told } = open();
    assert.deepEqual([told("a"), told("b"), told("a", "Normal")], ["write", "write", "write"]);
  });
});

describe("however much happens", () => {
  test("25 Events of a type are written at once, then one every 5 minutes", () => {
    const { told, pass } = open();
    const said = Array.from({ length: 30 }, (_, place) => told(`kind-${place}`));
    assert.equal(said.filter((type) => type === "write").length, 25);
    assert.equal(told("kind-29"), "limited");
    assert.equal(told("kind-29", "Normal"), "write");
    pass(5);
    assert.deepEqual([told("kind-29"), told("kind-28")], ["write", "limited"]);
  });

  test("troubles that last do not add up to more than 100", () => {
    const { told, pass } = open();
    const lasting = new Set<string>();
    for (let round = 0; round < 200; round++) {
      if (told(`kind-${round}`) === "write") lasting.add(`kind-${round}`);
      pass(5);
      for (const about of lasting) told(about);
    }
    assert.equal(lasting.size, 100);
  });

  test("a clock that goes back gives nothing away", () => {
    const { told, pass } = open();
    for (let place = 0; place < 25; place++) told(`kind-${place}`);
    pass(-600);
    assert.equal(told("late"), "limited");
  });
});
