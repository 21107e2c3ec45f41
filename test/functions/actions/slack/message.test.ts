import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SlackMessage } from "../../../../functions/actions/slack/block.ts";
import type { IncidentNote } from "../../../../functions/actions/slack/fact.ts";
import { type SlackMessageOptions, slackMessage } from "../../../../functions/actions/slack/message.ts";
import { manyFields, type Sample, sampleEvent } from "../sample-event.ts";

const AT = "<!date^1772600767^{date_short_pretty} {time_secs}|2026-03-04 05:06:07 UTC>";
const SINCE = "<!date^1772592644^{date_short_pretty} {time_secs}|2026-03-04 02:50:44 UTC>";
const EDITED = `(by \`kubectl-edit\` · cluster \`eu-1\` · ${AT})`;

const ready = (status: string, more: object = {}) => ({
  type: "Ready",
  status,
  lastTransitionTime: "2026-03-04T05:06:07Z",
  ...more,
});

/** A message as its reader sees it: `#` is the header, `( )` small print, `|` a table's cell. */
function lines({ blocks, attachments }: SlackMessage): string[] {
  return [...blocks, ...attachments.flatMap((attachment) => attachment.blocks)].flatMap((block) => {
    switch (block.type) {
      case "header":
        return [`# ${block.text.text}`];
      case "section":
        return block.text.text.split("\n");
      case "context":
        return block.elements.map((element) => `(${element.text})`);
      case "table":
        return block.rows.map((row) => `| ${row.map(cellText).join(" | ")} |`);
      default:
        return block satisfies never;
    }
  });
}

function cellText(cell: SlackTable["rows"][number][number]): string {
  return cell.type === "rich_text"
    ? cell.elements.flatMap(({ elements }) => elements.map((each) => ("text" in each ? each.text : ""))).join("")
    : cell.text;
}
type SlackTable = Extract<SlackMessage["blocks"][number], { type: "table" }>;
const HEAD = "| Field | Before | After |";

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
        HEAD,
        "| spec.replicas | 3 | 5 |",
        "| spec.tier | gold | — |",
        "| spec.size | — | 10Gi |",
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
        HEAD,
        "| spec.a | 1 | 2 |",
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
        HEAD,
        "| status.observedGeneration | 1 | 2 |",
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
        HEAD,
        "| status.endpoint | — | db.prod |",
        EDITED,
      ],
    },
    {
      name: "puts a title on top, calls whom it should, and has the author's words and links",
      sample: { before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } }, heldSeconds: 59 },
      options: {
        title: "Database alert",
        text: "Ask *<!subteam^S0123456789>*",
        mentions: ["<!here>", "<@U0123456789>"],
        links: [
          { text: "Dashboard & more", url: "https://grafana.example/d?a=1&b=2|3" },
          { text: "Runbook", url: "https://runbook.example" },
        ],
      },
      text: "Database alert: Database prod/orders: Running → Failed after 59 s",
      expected: [
        "# Database alert",
        "<!here> <@U0123456789>",
        "Ask *<!subteam^S0123456789>*",
        "*Database prod/orders: Running → Failed*",
        "*Phase* `Running` → `Failed` after 59 s",
        "<https://grafana.example/d?a=1&amp;b=2%7C3|Dashboard &amp; more> · <https://runbook.example|Runbook>",
        EDITED,
      ],
    },
    {
      name: "lists ten of 200 changed fields and counts the rest",
      sample: manyFields(200, "v"),
      text: "Database prod/orders: changed · spec.field0 0 v old → 0 v new, spec.field1 1 v old → 1 v new, spec.field2 2 v old → 2 v new, and 197 more",
      expected: [
        "# Database prod/orders: changed",
        HEAD,
        ...Array.from({ length: 10 }, (_, i) => `| spec.field${i} | ${i} v old | ${i} v new |`),
        "… and 190 more",
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
        HEAD,
        `| spec.ca | …${"x".repeat(20)}A | …${"x".repeat(20)}B |`,
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
      text: `Database prod/orders: Running → &lt;!channel&gt; after 2 h 15 m · &lt;@U123&gt; &amp; &lt;https://evil.example|click&gt; second · metadata.labels["a.b/c'"] 1 → &lt;!here&gt; 'rm -rf' next\uFFFDline\uFFFD`,
      expected: [
        "# Database prod/orders: Running → &lt;!channel&gt;",
        "*Phase* `Running` → `&lt;!channel&gt;` after 2 h 15 m",
        "> &lt;@U123&gt; &amp; &lt;https://evil.example|click&gt;",
        "> second",
        HEAD,
        '| metadata.labels["a.b/c`"] | 1 | <!here> `rm -rf`⏎next\uFFFDline\uFFFD |',
        EDITED,
      ],
    },
    {
      name: "keeps the phase whole when a name is too long for the header, and gives the name below",
      sample: {
        before: { metadata: { name: "n".repeat(253) }, status: { phase: "Running" } },
        after: { metadata: { name: "n".repeat(253) }, status: { phase: "Failed" } },
      },
      text: `Database prod/${"n".repeat(107)}…: Running → Failed after 2 h 15 m`,
      expected: [
        `# Database prod/${"n".repeat(107)}…: Running → Failed`,
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

  test("has a table whose cells are no markup, and text that Slack finds no mentions in on its own", () => {
    const message = render({ before: { spec: { a: 1 } }, after: { spec: { a: "@channel <#ops>" } } });
    const cell = (text: string, style?: object) => ({
      type: "rich_text",
      elements: [{ type: "rich_text_section", elements: [{ type: "text", text, ...style }] }],
    });
    const bold = { style: { bold: true } };
    const wrapped = { is_wrapped: true };
    assert.deepEqual(message, {
      text: "Database prod/orders: changed · spec.a 1 → @channel &lt;#ops&gt;",
      blocks: [{ type: "header", text: { type: "plain_text", text: "Database prod/orders: changed", emoji: false } }],
      attachments: [
        {
          fallback: "Database prod/orders: changed",
          blocks: [
            {
              type: "table",
              column_settings: [wrapped, wrapped, wrapped],
              rows: [
                [cell("Field", bold), cell("Before", bold), cell("After", bold)],
                [cell("spec.a"), cell("1"), cell("@channel <#ops>")],
              ],
            },
            { type: "context", elements: [{ type: "mrkdwn", text: EDITED.slice(1, -1), verbatim: true }] },
          ],
        },
      ],
    });
  });

  test("lists fields as lines where Slack does not take a table", () => {
    const fields = { before: { spec: { a: 1, b: 2 } }, after: { spec: { a: "`<!here>`", c: 3 } } };
    assert.deepEqual(lines(render(fields, { fields: "lines" })), [
      "# Database prod/orders: changed",
      "• `spec.a` `1` → `'&lt;!here&gt;'`",
      "• `spec.b` removed, was `2`",
      "• `spec.c` set to `3`",
      EDITED,
    ]);
  });

  test("lists fields as lines where the table would be too large, and counts what does not fit", () => {
    const shown = lines(render(manyFields(50, "v".repeat(100)), { fieldsMax: 50 }));
    assert.match(shown[1] ?? "", /^• `spec\.field0` `0 v{100} old` →/);
    assert.match(shown.at(-2) ?? "", /^… and \d+ more$/);
  });
});

describe("a Slack message about an incident", () => {
  const OPENED_AT = "2026-03-04T04:00:00Z";
  const OPEN_SINCE = "open since <!date^1772596800^{date_short_pretty} {time_secs}|2026-03-04 04:00:00 UTC>";
  const sample: Sample = {
    before: { status: { phase: "Failed" } },
    after: { status: { phase: "Running" } },
    heldSeconds: 60,
  };
  const PHASE = "*Phase* `Failed` → `Running` after 1 m";
  const rows: { name: string; incident: Partial<IncidentNote>; color: string; expected: string[] }[] = [
    {
      name: "is red when it opens",
      incident: { type: "opened" },
      color: "danger",
      expected: ["# Alert", "*Database prod/orders: Failed → Running*", PHASE, EDITED],
    },
    {
      name: "is short in a thread, and counts the updates",
      incident: { type: "updated", place: "reply", updateCount: 3 },
      color: "danger",
      expected: ["*Failed → Running*", PHASE, `(update 3 · ${EDITED.slice(1)}`],
    },
    {
      name: "is green when it is over, and says how it began and how long it took",
      incident: { type: "resolved", updateCount: 1, opened: "Running → Failed" },
      color: "good",
      expected: [
        "# Resolved: Alert",
        "*Database prod/orders: Failed → Running*",
        `*Resolved* after 1 h 6 m · ${OPEN_SINCE} (\`Running → Failed\`) · 1 update`,
        PHASE,
        EDITED,
      ],
    },
    {
      name: "says when it takes the place of one that was not found",
      incident: { type: "updated", updateCount: 2, isSubstitute: true },
      color: "danger",
      expected: [
        "# Alert",
        "*Database prod/orders: Failed → Running*",
        "_The first message of this incident could not be found: this one takes its place._",
        `*Incident* ${OPEN_SINCE} · 2 updates`,
        PHASE,
        EDITED,
      ],
    },
  ];
  for (const { name, incident, color, expected } of rows) {
    test(name, () => {
      const note = { type: "opened", place: "first", openedAt: OPENED_AT, updateCount: 0, ...incident } as const;
      const message = render(sample, { title: "Alert", incident: note });
      assert.deepEqual(lines(message), expected);
      assert.deepEqual(
        message.attachments.map((attachment) => attachment.color),
        [color],
      );
    });
  }
});
