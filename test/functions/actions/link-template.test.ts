import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fillLink, LinkTemplate } from "../../../functions/actions/link-template.ts";
import { sampleContext, sampleEvent } from "./sample-event.ts";

/** The template filled in for a Database whose label `team` is this. */
function filled(template: string, team = "red"): string | undefined {
  const event = sampleEvent({ op: "created", after: { metadata: { labels: { team } } } });
  return fillLink(LinkTemplate.parse(template), sampleContext(event, {}));
}

const TEAM = "{{ object.metadata.labels.team }}";

describe("a link", () => {
  test("is filled in with the object", () => {
    assert.equal(
      filled(
        "https://argo.example.com/{{ event.cluster }}/{{ event.namespace }}/{{ event.name }}?uid={{ object.metadata.uid }}",
      ),
      "https://argo.example.com/eu-1/prod/orders?uid=5f1d7a52-0c3e-4d1b-9a70-3f2f2c1b0a99",
    );
  });

  test("has each value encoded, so that none can lead it astray", () => {
    assert.equal(
      filled(`https://x.example/${TEAM}`, "../a?b=c&d#e f|g>@(\uD800)"),
      "https://x.example/..%2Fa%3Fb%3Dc%26d%23e%20f%7Cg%3E%40%28%EF%BF%BD%29",
    );
  });

  const left: { name: string; template: string; team: string }[] = [
    { name: "whose path climbs", template: `https://x.example/teams/${TEAM}/x`, team: ".." },
    { name: "whose path climbs in parts", template: `https://x.example/teams/.${TEAM}`, team: "." },
  ];
  for (const { name, template, team } of left) {
    test(`${name} is left out`, () => assert.equal(filled(template, team), undefined));
  }

  const refused: { name: string; template: string; problem: RegExp }[] = [
    { name: "no URL", template: "grafana/{{ event.name }}", problem: /expected an http or https URL/ },
    { name: "another scheme", template: "javascript:alert(1)", problem: /expected an http or https URL/ },
    { name: "a value in the host", template: `https://${TEAM}.example.com/`, problem: /whose host is written out/ },
    {
      name: "a value right after the host",
      template: `https://x.example${TEAM}/`,
      problem: /whose host is written out/,
    },
    { name: "a value in the scheme", template: `${TEAM}://x.example/`, problem: /whose host is written out/ },
    { name: "a back-slash", template: `https://x.example\\${TEAM}`, problem: /whose host is written out/ },
    { name: "credentials", template: "https://me:secret@x.example/", problem: /name a secret instead/ },
    { name: "an unknown name", template: "https://x.example/{{ pod }}", problem: /pod is unknown/ },
    {
      name: "a single brace",
      template: "https://x.example/{name}",
      problem: /\{name\} is not filled in: write \{\{ event\.name \}\}/,
    },
  ];
  for (const { name, template, problem } of refused) {
    test(`with ${name} is refused with the settings`, () => {
      assert.match(LinkTemplate.safeParse(template).error?.issues[0]?.message ?? "", problem);
    });
  }
});
