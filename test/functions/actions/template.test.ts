import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { escapeText, type Markup } from "../../../functions/actions/escape.ts";
import { renderTemplate, Template, type TemplateScope } from "../../../functions/actions/template.ts";
import { sampleContext, sampleEvent } from "./sample-event.ts";
import { failureOf } from "./thrown.ts";

const HOSTILE =
  "<!channel> <https://evil.example|click> *b* _i_ ~s~ `c` @ops #12 GH-12 https://evil.example\u202E\u0007";

function scopeOf(label = HOSTILE): TemplateScope {
  const metadata = { labels: { team: label } };
  const event = sampleEvent({
    before: { metadata, status: { phase: "Running" } },
    after: { metadata, status: { phase: "Failed", reason: "MY_VAR is 2*3" } },
  });
  return sampleContext(event, {});
}

describe("a template", () => {
  const rows: { name: string; template: string; expected: string }[] = [
    {
      name: "names the event, both states and the change",
      template:
        "{{ event.namespace }}/{{ object.metadata.name }}: {{ before.status.phase }} → {{ change.transitions.phase.to }}",
      expected: "prod/orders: Running → Failed",
    },
    {
      name: "shows a duration in words and a time in UTC",
      template: "{{ change.transitions.phase.heldSeconds | duration }}, {{ event.time | date }}",
      expected: "2 h 15 m, 2026-03-04 05:06:07 UTC",
    },
    {
      name: "leaves empty what is not there",
      template: "[{{ object.spec.owner }}{{ incident.key }}]{{ object.spec.owner | default: 'nobody' }}",
      expected: "[]nobody",
    },
    {
      name: "decides and repeats",
      template:
        "{% if object.status.phase == 'Failed' %}{% for pair in object.status %}{{ pair[0] }} {% endfor %}{% endif %}",
      expected: "phase reason ",
    },
    { name: "shows a map as JSON", template: "{{ before.status }}", expected: '{"phase":"Running"}' },
    {
      name: "reaches nothing but data",
      template: "{{ object.constructor }}{{ object.__proto__ }}{{ object.toString }}{{ event.constructor.name }}",
      expected: "",
    },
  ];
  for (const { name, template, expected } of rows) {
    test(name, () => {
      assert.equal(renderTemplate(Template.parse(template), scopeOf(), "plain"), expected);
    });
  }

  test("knows the incident, and cannot call what belongs to it", () => {
    const incident = {
      key: "databases/uid/1",
      type: "opened" as const,
      openedAt: "2026-03-04T05:06:07Z",
      openedBy: "uid.1",
      updateCount: 0,
      receipts: { ticket: { number: 7 } },
      remember: () => assert.fail("a template must not call anything"),
    };
    const text = renderTemplate(
      "{{ incident.key }} {{ incident.receipts.ticket.number }} {{ incident.remember }}",
      { ...scopeOf(), incident },
      "plain",
    );
    assert.equal(text, "databases/uid/1 7 ");
  });

  const refused: { name: string; template: string; problem: RegExp }[] = [
    {
      name: "an unknown name",
      template: "{{ objekt.x }}",
      problem: /objekt is unknown \(did you mean "object"\?\).*event, object/,
    },
    { name: "an unknown filter", template: "{{ event.name | sha256 }}", problem: /there is no filter sha256, line:1/ },
    { name: "a way around escaping", template: "{{ event.name | raw }}", problem: /there is no filter raw/ },
    { name: "a file", template: "a\n{% include '/etc/passwd' %}", problem: /there is no tag "include", line:2/ },
    { name: "what is not closed", template: "{% if object.x %}", problem: /not closed/ },
    { name: "a book", template: "x".repeat(10_001), problem: /at most 10000 characters/ },
  ];
  for (const { name, template, problem } of refused) {
    test(`with ${name} is refused with the settings`, () => {
      assert.match(Template.safeParse(template).error?.issues[0]?.message ?? "", problem);
    });
  }

  test("that asks for too much memory is final", async () => {
    const failure = await failureOf(async () =>
      renderTemplate("{% for i in (1..99999999) %}{% endfor %}", scopeOf(), "plain"),
    );
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /cannot be filled in: memory alloc limit/);
  });

  test("that takes too long is stopped, and tried again", async () => {
    const failure = await failureOf(async () =>
      renderTemplate("{% for i in (1..9999999) %}{{ i }}{% endfor %}", scopeOf(), "plain"),
    );
    assert.equal(failure.treated, "retry");
    assert.match(failure.message, /render limit/);
  });

  test("never says what stands in the object when it fails", async () => {
    const failure = await failureOf(async () =>
      renderTemplate(
        "{{ object.metadata.labels.team }}{% for i in (1..99999999) %}{% endfor %}",
        scopeOf("s3cret"),
        "plain",
      ),
    );
    assert.doesNotMatch(failure.words, /s3cret/);
  });
});

describe("a value is shown as it is, whatever it tries,", () => {
  const rows: { markup: Markup; expected: string }[] = [
    {
      markup: "mrkdwn",
      expected:
        "&lt;!channel&gt; &lt;https://evil.example|click&gt; ∗b∗ ˍiˍ ∼s∼ 'c' @ops #12 GH-12 https://evil.example\uFFFD\uFFFD",
    },
    {
      markup: "markdown",
      expected:
        "\\<\\!channel\\> \\<https\\:\\/\\/evil\\.example\\|click\\> \\*b\\* \\_i\\_ \\~s\\~ \\`c\\` \\@\u2060ops \\#\u206012 GH\\-\u206012 https\\:\\/\\/evil\\.example\uFFFD\uFFFD",
    },
    {
      markup: "html",
      expected:
        "&lt;!channel&gt; &lt;https://evil.example|click&gt; *b* _i_ ~s~ `c` @ops #12 GH-12 https://evil.example\uFFFD\uFFFD",
    },
    {
      markup: "plain",
      expected:
        "<!channel> <https://evil.example|click> *b* _i_ ~s~ `c` @ops #12 GH-12 https://evil.example\uFFFD\uFFFD",
    },
    {
      markup: "url",
      expected:
        "%3C%21channel%3E%20%3Chttps%3A%2F%2Fevil.example%7Cclick%3E%20%2Ab%2A%20_i_%20~s~%20%60c%60%20%40ops%20%2312%20GH-12%20https%3A%2F%2Fevil.example%EF%BF%BD%EF%BF%BD",
    },
  ];
  for (const { markup, expected } of rows) {
    test(`in ${markup}`, () => {
      assert.equal(renderTemplate("{{ object.metadata.labels.team }}", scopeOf(), markup), expected);
      const assigned = "{% assign team = object.metadata.labels.team | append: '' %}{{ team }}";
      assert.equal(renderTemplate(assigned, scopeOf(), markup), expected);
    });
  }

  test("and a word with a mark inside stays as it is in Slack", () => {
    assert.equal(renderTemplate("*{{ object.status.reason }}*", scopeOf(), "mrkdwn"), "*MY_VAR is 2*3*");
  });

  test("and stays in its paragraph in Markdown", () => {
    assert.equal(escapeText("a\r\n\r\n    b\n\n# c", "markdown"), "a\nb\n\\#\u2060 c");
  });

  test("in the time that its length takes, and no more", () => {
    for (const text of [" ", "\t\n", "\r", "*", "&", "\u0301", "gh-"].map((unit) =>
      unit.repeat(1_000_000 / unit.length),
    )) {
      for (const markup of ["mrkdwn", "markdown", "html", "plain", "url"] as const) escapeText(text, markup);
    }
  });

  test("for any text at all", () => {
    const text = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(text, (value) => {
        assert.doesNotMatch(escapeText(value, "mrkdwn"), /[<>`\u202E]|&(?!(amp|lt|gt);)/);
        assert.doesNotMatch(escapeText(value, "markdown"), /(?<!\\)(?:\\\\)*[*_`<>[\]@#|~!](?<!\\[*_`<>[\]@#|~!])/);
        assert.doesNotMatch(escapeText(value, "html"), /[<>"']/);
        assert.match(escapeText(value, "url"), /^[A-Za-z0-9%._~-]*$/);
      }),
    );
  });
});
