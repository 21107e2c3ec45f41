import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fillLink, LinkTemplate } from "../../../functions/actions/link-template.ts";
import { sampleEvent } from "./sample-event.ts";

const event = sampleEvent({ op: "created", after: {} });

describe("a link template", () => {
  test("is filled with the object", () => {
    assert.equal(
      fillLink("https://argo.example.com/{cluster}/{namespace}/{kind}/{name}?uid={uid}", event),
      "https://argo.example.com/eu-1/prod/Database/orders?uid=5f1d7a52-0c3e-4d1b-9a70-3f2f2c1b0a99",
    );
  });

  test("encodes each value, so that none can lead the link astray", () => {
    const odd = { ...event, name: "../a?b=c&d#e f|g>\uD800" };
    assert.equal(
      fillLink("https://x.example/{name}", odd),
      "https://x.example/..%2Fa%3Fb%3Dc%26d%23e%20f%7Cg%3E%EF%BF%BD",
    );
  });

  test("leaves a cluster-scoped object's namespace empty", () => {
    assert.equal(
      fillLink("https://x.example/?ns={namespace}", { ...event, namespace: undefined }),
      "https://x.example/?ns=",
    );
  });

  const refused: { name: string; template: string; problem: RegExp }[] = [
    {
      name: "an unknown placeholder",
      template: "https://x.example/{pod}",
      problem: /\{pod\} is unknown; known are \{namespace\}/,
    },
    { name: "a scheme that runs code", template: "javascript:alert(1)", problem: /http or https/ },
    { name: "no URL", template: "dashboards/{name}", problem: /http or https/ },
    { name: "credentials", template: "https://me:pw@x.example/{name}", problem: /credentials/ },
  ];
  for (const { name, template, problem } of refused) {
    test(`refuses ${name} at start`, () => {
      assert.match(LinkTemplate.safeParse(template).error?.message ?? "", problem);
    });
  }
});
