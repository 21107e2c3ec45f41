/**
 * Which object it is, and who changed it: names, namespaces, labels, annotations, owners as they are after the change (of a deletion:
 * the last known ones), and the field manager of the change. Texts are globs.
 */
import { encodeToken, type Json, valueAt } from "#contract";
import type { Clause } from "../clause.ts";
import { compileGlobs, isPlain } from "../glob.ts";
import type { Occurrence } from "../occurrence.ts";
import { type Net, opsNet, UNDECIDED } from "../subject-net.ts";
import { shown, shownChoice, shownList } from "../wording.ts";

type Globs = string | readonly string[];

/** The object has one of these names. */
export function namesClause(globs: Globs): Clause {
  const fits = compileGlobs(globs);
  return {
    type: "clause",
    wanted: `name ${shownChoice(globs)}`,
    holds: ({ event }) => fits(event.name),
    found: ({ event }) => `the name is ${event.name}`,
    net: () => tokenNet("name", globs),
  };
}

/** The object is in one of these namespaces. */
export function namespacesClause(globs: Globs): Clause {
  const fits = compileGlobs(globs);
  return {
    type: "clause",
    wanted: `namespace ${shownChoice(globs)}`,
    holds: ({ event }) => fits(event.namespace ?? ""),
    found: ({ event }) => (event.namespace ? `the namespace is ${event.namespace}` : "it is in no namespace"),
    net: () => tokenNet("namespace", globs),
  };
}

/** The field manager of the change fits, where one can be told. */
export function managerClause(globs: Globs): Clause {
  const fits = compileGlobs(globs);
  return {
    type: "clause",
    wanted: `manager ${shownChoice(globs)}`,
    holds: ({ event }) => fits(event.manager),
    found: ({ event }) =>
      event.manager === undefined ? "no manager is told" : `the manager is ${shown(event.manager)}`,
    net: ({ ops }) => ({ ...opsNet(ops.filter((op) => op === "created" || op === "updated")), exact: false }),
  };
}

/** Every key has a value that fits: labels or annotations. */
export function metadataClause(part: "labels" | "annotations", wish: Readonly<Record<string, Globs>>): Clause {
  const entries = Object.entries(wish).map(([key, globs]) => ({ key, globs, fits: compileGlobs(globs) }));
  const textAt = (object: unknown, key: string) => valueAt(object, ["metadata", part, key]);
  const holds = ({ object }: Occurrence) => entries.every(({ key, fits }) => fits(textAt(object, key)));
  return {
    type: "clause",
    wanted: `${part} ${shownList(entries.map(({ key, globs }) => `${key}=${shownChoice(globs)}`))}`,
    holds,
    found({ object }) {
      const wrong = entries.find(({ key, fits }) => !fits(textAt(object, key)));
      return wrong === undefined ? "all of them fit" : `${wrong.key} is ${shown(textAt(object, wrong.key))}`;
    },
    net: () => UNDECIDED,
    state: { becomes: false, isSo: holds },
  };
}

/** An owner as `metadata.ownerReferences` names it. */
export interface OwnerWish {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
  readonly name?: Globs | undefined;
}

/** One of the object's owners is this. */
export function ownerClause({ apiVersion, kind, name }: OwnerWish): Clause {
  const fitsName = name === undefined ? () => true : compileGlobs(name);
  const ownersOf = (object: unknown): Json[] => {
    const owners = valueAt(object, ["metadata", "ownerReferences"]);
    return Array.isArray(owners) ? owners : [];
  };
  const isWanted = (owner: Json) =>
    valueAt(owner, ["kind"]) === kind &&
    (apiVersion === undefined || valueAt(owner, ["apiVersion"]) === apiVersion) &&
    fitsName(valueAt(owner, ["name"]));
  const holds = ({ object }: Occurrence) => ownersOf(object).some(isWanted);
  return {
    type: "clause",
    wanted: `owned by ${apiVersion === undefined ? "" : `${apiVersion} `}${kind}${name === undefined ? "" : ` ${shownChoice(name)}`}`,
    holds,
    found({ object }) {
      const owners = ownersOf(object).map(
        (owner) => `${shown(valueAt(owner, ["kind"]))} ${shown(valueAt(owner, ["name"]))}`,
      );
      return owners.length === 0 ? "it has no owner" : `its owners are ${shownList(owners)}`;
    },
    net: () => UNDECIDED,
    state: { becomes: false, isSo: holds },
  };
}

function tokenNet(dimension: "name" | "namespace", globs: Globs): Net {
  const all = [globs].flat();
  if (all.some((glob) => /^\*+$/.test(glob))) return { patterns: [{}], exact: true };
  if (!all.every(isPlain)) return UNDECIDED;
  return { patterns: all.map((text) => ({ [dimension]: encodeToken(text) })), exact: true };
}
