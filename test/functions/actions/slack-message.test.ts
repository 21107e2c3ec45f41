import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SlackMessage } from "../../../functions/actions/slack-block.ts";
import { type SlackMessageOptions, slackMessage } from "../../../functions/actions/slack-message.ts";
import { manyFields, type Sample, sampleEvent } from "./sample-event.ts";

const AT = "<!date^1772600767^{date_short_pretty} {time_secs}|2026-03-04 05:06:07 UTC>";
const SINCE = "<!date^1772592644^{date_short_pretty} {time_secs}|2026-03-04 02:50:44 UTC>";
const EDITED = `(by \`kubectl-edit\` · cluster \`eu-1\` · ${AT})`;

const ready = (status: string, more: object = {}) => ({
  type: "Ready",
  status,
  lastTransitionTime: "2026-03-04T05:06:07Z",
  ...more,
});

/** A message as its reader sees it: `#` is the header, `( )` small print. */
function lines(message: SlackMessage): string[] {
  return message.blocks.flatMap((block) => {
    switch (block.type) {
      case "header":
        return [`# ${block.text.text}`];
      case "section":
        return block.text.text.split("\n");
      case "context":
        return block.elements.map((element) => `(${element.text})`);
      default:
        return block satisfies never;
    }
  });
}

const render = (sample: Sample, options: Partial<SlackMessageOptions> = {}) =>
  slackMessage(sampleEvent(sample), { fieldsMax: 10, ...options });

describe("a Slack message", () => {
  const rows: {
    name: string;
    sample: Sample;
    options?: Partial<SlackMessageOptions>;
    text: string;
    expected: string[];
  }[] = [
    {
      name: "says that an object was born Failed, and why",
      sample: {
        op: "created",
        after: { spec: {}, status: { phase: "Failed", reason: "NoSpace", message: "no node fits" } },
      },
      text: "Database prod/orders: created, Failed · NoSpace: no node fits",
      expected: [
        "# Database prod/orders: created, Failed",
        "*Phase* `Failed`",
        "> NoSpace: no node fits",
        `(by \`kubectl-create\` · cluster \`eu-1\` · ${AT})`,
      ],
    },
    {
      name: "says from which phase to which, and how long the first one held",
      sample: {
        before: { spec: { replicas: 3 }, status: { phase: "Running" } },
        after: { spec: { replicas: 3 }, status: { phase: "Failed", message: "disk full" } },
      },
      text: "Database prod/orders: Running → Failed after 2 h 15 m · disk full",
      expected: [
        "# Database prod/orders: Running → Failed",
        "*Phase* `Running` → `Failed` after 2 h 15 m",
        "> disk full",
        EDITED,
      ],
    },
    {
      name: "says which field changed from what to what, and the phase meanwhile",
      sample: {
        before: { spec: { replicas: 3, tier: "gold" }, status: { phase: "Running" } },
        after: { spec: { replicas: 5, size: "10Gi" }, status: { phase: "Running" } },
      },
      text: "Database prod/orders: changed · spec.replicas 3 → 5, spec.tier gold → none, spec.size 10Gi",
      expected: [
        "# Database prod/orders: changed",
        `*Phase* \`Running\` since ${SINCE}`,
        "• `spec.replicas` `3` → `5`",
        "• `spec.tier` removed, was `gold`",
        "• `spec.size` set to `10Gi`",
        EDITED,
      ],
    },
    {
      name: "says that an object was deleted",
      sample: { op: "deleted", before: { status: { phase: "Running" } }, after: { status: { phase: "Running" } } },
      text: "Database prod/orders: deleted",
      expected: ["# Database prod/orders: deleted", `*Phase* \`Running\` since ${SINCE}`, `(cluster \`eu-1\` · ${AT})`],
    },
    {
      name: "says when states in between may be missing",
      sample: { before: { spec: { a: 1 } }, after: { spec: { a: 2 } }, gap: true },
      text: "Database prod/orders: changed · spec.a 1 → 2",
      expected: [
        "# Database prod/orders: changed",
        "• `spec.a` `1` → `2`",
        EDITED,
        "(:warning: some intermediate states may be missing)",
      ],
    },
    {
      name: "tells a condition once, with reason, message and time",
      sample: {
        before: {
          status: {
            observedGeneration: 1,
            conditions: [ready("True", { lastTransitionTime: "2026-03-04T05:00:00Z" })],
          },
        },
        after: {
          status: {
            observedGeneration: 2,
            message: "volume is full",
            conditions: [ready("False", { reason: "DiskFull", message: "volume is full" })],
          },
        },
      },
      text: "Database prod/orders: changed · volume is full · status.observedGeneration 1 → 2",
      expected: [
        "# Database prod/orders: changed",
        "*Ready* `True` → `False` after 6 m 7 s · DiskFull",
        "> volume is full",
        "• `status.observedGeneration` `1` → `2`",
        EDITED,
      ],
    },
    {
      name: "names the condition that stands for the phase",
      sample: {
        phase: "condition:Ready",
        before: { status: { conditions: [ready("True", { lastTransitionTime: "2026-03-04T05:00:00Z" })] } },
        after: { status: { conditions: [ready("False")] } },
      },
      text: "Database prod/orders: Ready True → False",
      expected: ["# Database prod/orders: Ready True → False", "*Ready* `True` → `False` after 6 m 7 s", EDITED],
    },
    {
      name: "tells a phase once, wherever it stands",
      sample: { phase: "status.state", before: { status: { state: "Up" } }, after: { status: { state: "Down" } } },
      text: "Database prod/orders: Up → Down after 2 h 15 m",
      expected: ["# Database prod/orders: Up → Down", "*Phase* `Up` → `Down` after 2 h 15 m", EDITED],
    },
    {
      name: "tells a first status without repeating its phase and conditions",
      sample: {
        before: {},
        after: { status: { phase: "Provisioning", endpoint: "db.prod", conditions: [ready("False")] } },
      },
      text: "Database prod/orders: Provisioning · status.endpoint db.prod",
      expected: [
        "# Database prod/orders: Provisioning",
        "*Phase* `Provisioning`",
        "*Ready* `False`",
        "• `status.endpoint` set to `db.prod`",
        EDITED,
      ],
    },
    {
      name: "puts a title on top and a link below",
      sample: { before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } }, heldSeconds: 59 },
      options: {
        title: "Database alert",
        link: { text: "Dashboard & more", url: "https://grafana.example/d?a=1&b=2|3" },
      },
      text: "Database alert: Database prod/orders: Running → Failed after 59 s",
      expected: [
        "# Database alert",
        "*Database prod/orders: Running → Failed*",
        "*Phase* `Running` → `Failed` after 59 s",
        "<https://grafana.example/d?a=1&amp;b=2%7C3|Dashboard &amp; more>",
        EDITED,
      ],
    },
    {
      name: "lists ten of 200 changed fields and counts the rest",
      sample: manyFields(200, "v"),
      text: "Database prod/orders: changed · spec.field0 0 v old → 0 v new, spec.field1 1 v old → 1 v new, spec.field2 2 v old → 2 v new, and 197 more",
      expected: [
        "# Database prod/orders: changed",
        ...Array.from({ length: 10 }, (_, i) => `• \`spec.field${i}\` \`${i} v old\` → \`${i} v new\``),
        "…and 190 more",
        EDITED,
      ],
    },
    {
      name: "lists no field when none is wanted, and says how many changed",
      sample: manyFields(3, "v"),
      options: { fieldsMax: 0 },
      text: "Database prod/orders: changed",
      expected: ["# Database prod/orders: changed", "3 fields changed", EDITED],
    },
    {
      name: "cuts values of 10 KB to where they differ",
      sample: { before: { spec: { ca: `${"x".repeat(10_000)}A` } }, after: { spec: { ca: `${"x".repeat(10_000)}B` } } },
      text: `Database prod/orders: changed · spec.ca …${"x".repeat(20)}A → …${"x".repeat(20)}B`,
      expected: [
        "# Database prod/orders: changed",
        `• \`spec.ca\` \`…${"x".repeat(20)}A\` → \`…${"x".repeat(20)}B\``,
        EDITED,
      ],
    },
    {
      name: "pings nobody and hides nothing, whatever stands in an object: <!channel>, links, back-ticks, control characters",
      sample: {
        before: { metadata: { labels: { "a.b/c`": "1" } }, status: { phase: "Running" } },
        after: {
          metadata: { labels: { "a.b/c`": "<!here> `rm -rf`\nnext\u202Eline\u0007" } },
          status: { phase: "<!channel>", message: "<@U123> & <https://evil.example|click>\nsecond" },
        },
      },
      text: 'Database prod/orders: Running → &lt;!channel&gt; after 2 h 15 m · &lt;@U123&gt; &amp; &lt;https://evil.example|click&gt; second · metadata.labels["a.b/c`"] 1 → &lt;!here&gt; `rm -rf` next\uFFFDline\uFFFD',
      expected: [
        "# Database prod/orders: Running → &lt;!channel&gt;",
        "*Phase* `Running` → `&lt;!channel&gt;` after 2 h 15 m",
        "> &lt;@U123&gt; &amp; &lt;https://evil.example|click&gt;",
        "> second",
        "• `metadata.labels[\"a.b/c'\"]` `1` → `&lt;!here&gt; 'rm -rf'⏎next\uFFFDline\uFFFD`",
        EDITED,
      ],
    },
    {
      name: "keeps the phase whole when a name is too long for the header, and gives the name below",
      sample: {
        before: { metadata: { name: "n".repeat(253) }, status: { phase: "Running" } },
        after: { metadata: { name: "n".repeat(253) }, status: { phase: "Failed" } },
      },
      text: `Database prod/${"n".repeat(117)}…: Running → Failed after 2 h 15 m`,
      expected: [
        `# Database prod/${"n".repeat(117)}…: Running → Failed`,
        `*Database* \`prod/${"n".repeat(253)}\``,
        "*Phase* `Running` → `Failed` after 2 h 15 m",
        EDITED,
      ],
    },
  ];
  for (const { name, sample, options, text, expected } of rows) {
    test(name, () => {
      const message = render(sample, options);
      assert.deepEqual(lines(message), expected);
      assert.equal(message.text, text);
    });
  }

  test("has text that Slack finds no mentions in on its own", () => {
    const message = render({ before: { spec: { a: 1 } }, after: { spec: { a: "@channel #ops" } } });
    assert.deepEqual(message.blocks, [
      { type: "header", text: { type: "plain_text", text: "Database prod/orders: changed", emoji: false } },
      { type: "section", text: { type: "mrkdwn", text: "• `spec.a` `1` → `@channel #ops`", verbatim: true } },
      { type: "context", elements: [{ type: "mrkdwn", text: EDITED.slice(1, -1), verbatim: true }] },
    ]);
  });
});
