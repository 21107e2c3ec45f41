/**
 * The dialects `exact`, `prefix` and `suffix` of the CloudEvents Subscriptions API: attributes of the event against texts, every one
 * of them; case counts. An attribute that the event does not have fits nothing; a number or truth value is compared as its text.
 * Source: CloudEvents Subscriptions API 1.0, "Filter dialects" (Knative's Trigger writes the same).
 */
import { encodeToken, type Op, TYPE_PREFIX } from "#contract";
import type { Clause } from "../clause.ts";
import type { Attributes, Occurrence } from "../occurrence.ts";
import { allOf, EVERYTHING, type Net, NOTHING, opsNet, type Scope, UNDECIDED } from "../subject-net.ts";
import { shown } from "../wording.ts";

/** How an attribute is compared. */
export type Dialect = "exact" | "prefix" | "suffix";

const TESTS: Readonly<Record<Dialect, (value: string, wanted: string) => boolean>> = {
  exact: (value, wanted) => value === wanted,
  prefix: (value, wanted) => value.startsWith(wanted),
  suffix: (value, wanted) => value.endsWith(wanted),
};
const SOURCE_PREFIX = "/clusters/";

/** Each attribute named fits. */
export function attributesClause(dialect: Dialect, wish: Readonly<Record<string, string>>): Clause {
  const entries = Object.entries(wish);
  const fits = TESTS[dialect];
  const isFit = (attributes: Attributes, name: string, wanted: string) =>
    Object.hasOwn(attributes, name) && fits(String(attributes[name]), wanted);
  return {
    type: "clause",
    wanted: `${dialect} ${entries.map(([name, text]) => `${name} ${shown(text)}`).join(", ")}`,
    holds: (occurrence) => entries.every(([name, wanted]) => isFit(occurrence.attributes(), name, wanted)),
    found(occurrence) {
      const attributes = occurrence.attributes();
      const wrong = entries.find(([name, wanted]) => !isFit(attributes, name, wanted));
      return wrong === undefined ? "all of them fit" : told(occurrence, wrong[0]);
    },
    net: (scope) => allOf(entries.map(([name, wanted]) => attributeNet({ dialect, name, wanted }, scope))),
  };
}

function told(occurrence: Occurrence, name: string): string {
  const attributes = occurrence.attributes();
  return `${name} is ${Object.hasOwn(attributes, name) ? shown(attributes[name]) : "absent"}`;
}

interface AttributeWish {
  readonly dialect: Dialect;
  readonly name: string;
  readonly wanted: string;
}

/** What is the same for all events of a kind is known before; what names the object exactly is in the subject. */
function attributeNet({ dialect, name, wanted }: AttributeWish, { ops, apiVersion, kind }: Scope): Net {
  const fits = (value: string) => TESTS[dialect](value, wanted);
  switch (name) {
    case "type":
      return opsNet(ops.filter((op) => fits(`${TYPE_PREFIX}${op}`)));
    case "apiversion":
      return fits(apiVersion) ? EVERYTHING : NOTHING;
    case "kind":
      return fits(kind) ? EVERYTHING : NOTHING;
    case "specversion":
      return fits("1.0") ? EVERYTHING : NOTHING;
    case "source":
      if (dialect !== "exact") return UNDECIDED;
      return wanted.startsWith(SOURCE_PREFIX) ? tokenNet("cluster", wanted.slice(SOURCE_PREFIX.length)) : NOTHING;
    case "cluster":
    case "name":
    case "namespace":
      return dialect === "exact" ? tokenNet(name, wanted) : UNDECIDED;
    case "changed":
    case "manager":
    case "phasefrom":
      return { ...opsNet(ops.filter(isTold)), exact: false };
    default:
      return UNDECIDED;
  }
}

function tokenNet(dimension: "cluster" | "name" | "namespace", text: string): Net {
  return { patterns: [{ [dimension]: encodeToken(text) }], exact: true };
}

/** Only these say what changed, who did it and what the phase was. */
function isTold(op: Op): boolean {
  return op === "created" || op === "updated";
}
