import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { slackGroupMessage } from "../../../../functions/actions/slack/group-message.ts";
import { readContent } from "../../../kit/slack-schema.ts";
import { type SampleState, sampleEvent } from "../sample-event.ts";

/** A Database of that name that went from Running to a phase. */
function became(phase: string, name: string, state: SampleState = {}) {
  const metadata = { name, uid: `uid of ${name}` };
  return sampleEvent({
    before: { metadata, status: { phase: "Running" } },
    after: { metadata, status: { phase, ...(state.status as object) } },
  });
}

const linesOf = (message: ReturnType<typeof slackGroupMessage>) =>
  message.attachments
    .flatMap(({ blocks }) => blocks)
    .flatMap((block) => (block.type === "section" ? block.text.text.split("\n") : []));

describe("a Slack message about many objects", () => {
  test("says what happened to how many, and lists them", () => {
    const events = [
      became("Failed", "a", { status: { message: "disk\n full <!here>" } }),
      became("Failed", "b"),
      became("Degraded", "c"),
    ];
    const message = slackGroupMessage(events);
    assert.equal(message.text, "2 × Database: Running → Failed, 1 × Database: Running → Degraded");
    assert.deepEqual(linesOf(message), [
      "• Database `prod/a` Running → Failed after 2 h 15 m · disk full &lt;!here&gt;",
      "• Database `prod/b` Running → Failed after 2 h 15 m",
      "• Database `prod/c` Running → Degraded after 2 h 15 m",
    ]);
  });

  test("has each object once, as it was last", () => {
    const message = slackGroupMessage([became("Failed", "a"), became("Failed", "b"), became("Gone", "a")]);
    assert.equal(message.text, "1 × Database: Running → Gone, 1 × Database: Running → Failed");
  });

  test("counts what there is no room for", () => {
    const events = Array.from({ length: 300 }, (_, i) => became("Failed", `orders-${i}`));
    const lines = linesOf(slackGroupMessage(events, { title: "Databases", mentions: ["<!here>"] }));
    assert.equal(lines[0], "*300 × Database: Running → Failed*");
    assert.equal(lines.length, 52);
    assert.equal(lines.at(-1), "… and 250 more");
  });

  test("is taken by Slack, whatever stands in the objects", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 300 }),
      fc.string({ unit: fc.constantFrom("&", "<!channel>", "`", "\n", "👩‍👩‍👧"), minLength: 1, maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 80 }), (objects) => {
        const events = objects.map(([phase, name, message]) => became(`x${phase}`, name, { status: { message } }));
        const message = slackGroupMessage(events, { title: objects[0]?.[0] });
        assert.deepEqual(readContent(message), message);
      }),
      { numRuns: 50 },
    );
  });
});
