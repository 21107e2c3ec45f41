import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import notifyTeams from "../../functions/notify-teams.ts";
import type { Fault } from "../kit/misbehaviour.ts";
import { startTeams, type TeamsServer } from "../kit/teams-server.ts";
import { manyFields, sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const URL_VARIABLE = "CR_REACTOR_TEST_TEAMS";
const settings = ({ url }: Pick<TeamsServer, "url">, more: object = {}) => {
  process.env[URL_VARIABLE] = url;
  return { webhookUrl: { env: URL_VARIABLE }, ...more };
};
const changed = sampleEvent({ before: { spec: { a: 1 } }, after: { spec: { a: 2 } } });

afterEach(() => {
  delete process.env[URL_VARIABLE];
});

describe("a card in Teams", () => {
  test("has the colour of its incident, and updates are not told more often than is allowed", async (t) => {
    await using teams = await startTeams();
    ownClock(t);
    const run = incidentRun(
      t,
      notifyTeams,
      settings(teams, { links: [{ text: "Argo CD", url: "https://argo.example/{{ object.metadata.name }}" }] }),
    );
    await run.event("opened");
    assert.equal(await run.event("updated"), "told lately");
    await run.event("updated", { laterMs: 3_600_000 });
    await run.event("resolved");
    const styles = teams.cards.map(({ body }) => (body[0]?.type === "Container" ? body[0].style : undefined));
    assert.deepEqual(styles, ["attention", "warning", "good"]);
    assert.deepEqual(teams.cards[0]?.actions, [
      { type: "Action.OpenUrl", title: "Argo CD", url: "https://argo.example/orders" },
    ]);
  });

  test("keeps the limits, however much changed, and says how much is left out", async () => {
    await using teams = await startTeams();
    const config = notifyTeams.config.parse(settings(teams, { fieldsMax: 50, title: "t".repeat(900) }));
    await notifyTeams.run(sampleContext(sampleEvent(manyFields(400, "ü😀".repeat(200))), config));
    assert.match(JSON.stringify(teams.cards[0]), /… and \d+ more changed fields/);
  });

  const rows: { name: string; fault: Fault; treated: "retry" | "dead-letter"; message: RegExp }[] = [
    {
      name: "whose workflow was deleted says how to make one",
      fault: { status: 404 },
      treated: "dead-letter",
      message: /Post to a channel when a webhook/,
    },
    {
      name: "whose workflow asks for a sign-in says so",
      fault: { status: 401 },
      treated: "dead-letter",
      message: /anyone/,
    },
    {
      name: "for a retired connector says what to use",
      fault: { status: 410 },
      treated: "dead-letter",
      message: /retired Office 365 connector/,
    },
    {
      name: "too many at a time is tried again",
      fault: { status: 429, headers: { "retry-after": "10" } },
      treated: "retry",
      message: /HTTP 429/,
    },
  ];
  for (const { name, fault, treated, message } of rows) {
    test(name, async () => {
      await using teams = await startTeams();
      teams.next(fault);
      const config = notifyTeams.config.parse(settings(teams));
      const failure = await failureOf(async () => notifyTeams.run(sampleContext(changed, config)));
      assert.equal(failure.treated, treated);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /vErYsEcReT/);
    });
  }
});
