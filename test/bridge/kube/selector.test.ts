import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FieldSelector, LabelSelector } from "../../../bridge/kube/selector.ts";

describe("a label selector", () => {
  const good = [
    "tier=gold",
    "tier == gold, canary != true",
    "tier in (gold,silver),!canary",
    "tier notin (gold , silver)",
    "example.com/tier",
    "! canary",
    "tier=",
    "tier in (,gold)",
    "size > 3,size<-1",
  ];
  const bad = ["", "a=b=c", "tier in gold", "tier in (gold", "tier in ()x", "a b", "-a", "a,", "a=b c", "size>x"];
  for (const text of good) test(`can be "${text}"`, () => assert.equal(LabelSelector.parse(text), text));
  for (const text of bad) test(`cannot be "${text}"`, () => assert.throws(() => LabelSelector.parse(text)));
});

describe("a field selector", () => {
  const good = ["metadata.name=a", "spec.tier==gold,metadata.name!=b", "spec.tier=", String.raw`spec.tier=a\,b\=c`];
  const bad = ["", "metadata.name", "=a", "metadata.name=a,", "spec.tier=a=b", String.raw`spec.tier=a\b`];
  for (const text of good) test(`can be "${text}"`, () => assert.equal(FieldSelector.parse(text), text));
  for (const text of bad) test(`cannot be "${text}"`, () => assert.throws(() => FieldSelector.parse(text)));
});
