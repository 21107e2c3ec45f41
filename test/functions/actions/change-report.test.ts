import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changeReport, fitReport } from "../../../functions/actions/change-report.ts";
import { discordEmbed } from "../../../functions/actions/discord.ts";
import { isTooSoon, isWithin } from "../../../functions/actions/pace.ts";
import { teamsCard } from "../../../functions/actions/teams.ts";
import { sampleEvent } from "./sample-event.ts";

const moved = (from: string, to: string, more: object = {}) =>
  sampleEvent({ before: { status: { phase: from } }, after: { status: { phase: to, ...more } } });

describe("a report", () => {
  const huge = "x".repeat(100_000);

  test("is short enough for a ticket, whatever phase, condition and manager an object has", () => {
    const condition = (status: string) => ({ type: huge, status, reason: huge, message: huge });
    const event = sampleEvent({
      before: { status: { phase: huge, conditions: [condition("True")] } },
      after: { status: { phase: `b${huge}`, message: huge, conditions: [condition("False")] } },
    });
    const report = fitReport(changeReport(event, undefined, 20), 14_000);
    assert.ok(JSON.stringify(report).length < 14_000, `${JSON.stringify(report).length} characters`);
    assert.ok(report.headline.length <= 300);
    assert.ok(Buffer.byteLength(JSON.stringify(teamsCard("t", report, "good", []))) < 20 * 1024);
  });

  test("has a headline of one line without control characters, for the title of a ticket", () => {
    assert.equal(
      changeReport(moved("a", "b\u0000\u202E\nc"), undefined, 1).headline,
      "Database prod/orders: a → b\uFFFD\uFFFD c",
    );
  });
});

test("a card of Teams is small enough, in whatever script an object's conditions speak", () => {
  const conditions = (status: string) =>
    Array.from({ length: 8 }, (_, index) => ({ type: `C${index}`, status, reason: "R", message: "漢".repeat(2_000) }));
  const event = sampleEvent({
    before: { status: { phase: "a", conditions: conditions("True") } },
    after: { status: { phase: "b", message: "字".repeat(3_000), conditions: conditions("False") } },
  });
  const card = teamsCard("t", changeReport(event, undefined, 20), "good", []);
  assert.ok(Buffer.byteLength(JSON.stringify(card)) <= 20 * 1024, `${Buffer.byteLength(JSON.stringify(card))} bytes`);
  assert.match(JSON.stringify(card), /C7: .*True → False/);
});

test("a link of Kibana, with parentheses, is whole in Discord", () => {
  const url = "https://kibana.example/app/discover#/?_g=(time:(from:now-1h))";
  const report = changeReport(moved("a", "b"), undefined, 1);
  const embed = discordEmbed("t", report, { color: 0, timestamp: "2026-03-04T05:06:07Z" }, [{ text: "Logs", url }]);
  assert.match(
    embed.description,
    /\[Logs\]\(https:\/\/kibana\.example\/app\/discover#\/\?_g=%28time:%28from:now-1h%29%29\)$/,
  );
});

test("with a pause of 0 every event is told, also one whose time is before that of the last", () => {
  const event = moved("a", "b");
  assert.equal(isWithin("2026-03-04T05:06:08Z", event, 0), false);
  assert.equal(isWithin("2026-03-04T05:06:08Z", event, 1), true);
  assert.equal(isTooSoon(undefined, event, 0), false);
});
