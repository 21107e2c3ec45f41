/**
 * Other names for the objects, namespaces and uids of events, the same one wherever the same thing is meant, so that fixtures tell a story
 * without telling whose. Kinds, versions, field names and everything else stay.
 */
import { type Envelope, groupOf, type Json, objectSubject } from "#contract";

/** A name of fewer characters is replaced where it stands alone, and not within a text. */
const WITHIN_LENGTH_MIN = 4;
/** What says which kind it is, and never which object. */
const KEPT_KEYS = ["apiVersion", "apiversion", "kind", "type", "source", "cluster", "dataschema", "specversion"];

/** The events with other names; all at once, because an event may name an object that only a later one is about. */
export function withPseudonyms(events: readonly Envelope[]): readonly Envelope[] {
  const names = pseudonymsOf(events);
  const texts = [...names.keys()].filter((text) => text.length >= WITHIN_LENGTH_MIN);
  const pattern = texts
    .toSorted((a, b) => b.length - a.length)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join("|");
  const within = pattern === "" ? undefined : new RegExp(`(?<![A-Za-z0-9])(?:${pattern})(?![A-Za-z0-9])`, "g");
  const rename = (text: string) =>
    names.get(text) ?? (within === undefined ? text : text.replace(within, (found) => names.get(found) ?? found));
  const renameAll = (value: Json): Json => {
    if (typeof value === "string") return rename(value);
    if (Array.isArray(value)) return value.map(renameAll);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, KEPT_KEYS.includes(key) ? each : renameAll(each)]),
    );
  };
  return events.map((event) => {
    const renamed = renameAll(event as unknown as Json) as unknown as Envelope;
    const { cluster, apiversion, kind, namespace = "", name } = renamed;
    const partitionkey = objectSubject({ cluster, group: groupOf(apiversion), kind, namespace, name });
    return { ...renamed, subject: renamePath(event.subject, names), partitionkey };
  });
}

function pseudonymsOf(events: readonly Envelope[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const add = (text: unknown, what: string, write: (number: number) => string) => {
    if (typeof text !== "string" || text === "" || names.has(text)) return;
    const number = (counts.get(what) ?? 0) + 1;
    counts.set(what, number);
    names.set(text, write(number));
  };
  const addUid = (uid: unknown) =>
    add(uid, "uid", (number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`);
  const addName = (name: unknown, kind: string) =>
    add(name, kind.toLowerCase(), (number) => `${kind.toLowerCase()}-${number}`);
  for (const { kind, name, namespace, data } of events) {
    addName(name, kind);
    addName(namespace, "namespace");
    addUid(data.object.metadata.uid);
    const owners = (data.object.metadata as { readonly ownerReferences?: unknown })["ownerReferences"];
    for (const owner of Array.isArray(owners) ? owners : []) {
      addName(owner?.name, String(owner?.kind ?? "owner"));
      addUid(owner?.uid);
    }
  }
  return names;
}

/** Part by part: a group may have a word in it that is somebody's name. */
function renamePath(path: string, names: ReadonlyMap<string, string>): string {
  const parts = path.split("/");
  const namespaceAt = parts.indexOf("namespaces") + 1;
  return parts
    .map((part, index) =>
      index === parts.length - 1 || (index === namespaceAt && index > 0) ? (names.get(part) ?? part) : part,
    )
    .join("/");
}
