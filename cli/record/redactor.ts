/**
 * Takes out of events what looks secret, before they become fixtures: the values of fields that are called so, of paths that are named, and
 * texts of known forms (private keys, tokens, passwords in addresses), wherever they stand once more. Equal values get one mark and
 * different ones two, so that a change is still one. The rest of an event is as it was.
 */
import { beforeOf, diff, type Envelope, isRedacted, type Json, opOf, parseFieldPath, toDotted } from "#contract";

/** Redacts one event after the other; what it has seen in one it knows in the next. */
export interface Redactor {
  redact(event: Envelope): Envelope;
  /** The fields that were redacted so far, in the order of their names. */
  fields(): readonly string[];
}

/** Of an environment variable `DB_PASSWORD` as of a field `dbPassword`; not of `secretName`, which names a Secret. */
const SECRET_NAME =
  /(pass(word|wd|phrase)?|secrets?|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|authorization|cookie|connection[-_]?string|dsn)$/i;
/** Whole manifests, secret fields included. */
const MANIFEST_COPIES = ["kubectl.kubernetes.io/last-applied-configuration", "kapp.k14s.io/original"];
/** What is secret whatever it is called. */
const SECRET_FORMS = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/,
  /:\/\/[^\s/:@]*:[^\s/@]+@/,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\b(gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|SG\.)[\w.-]{16,}/,
  /\b(Bearer|Basic) [\w+/.=-]{16,}/,
  /hooks\.slack\.com\/services\//,
];
/** A shorter one would be found in words that have nothing to do with it. */
const SAME_LENGTH_MIN = 5;
const PART_LENGTH_MIN = 8;

type Path = readonly string[];

/** `paths` are redacted as well, with everything below; `*` is any key or position. Throws an Error about one that cannot be read. */
export function createRedactor(paths: readonly string[]): Redactor {
  const named = paths.map((path) => parseFieldPath(path));
  const marks = new Map<string, string>();
  const fields = new Set<string>();
  const markOf = (value: Json) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const mark = marks.get(text) ?? `(redacted ${marks.size + 1})`;
    marks.set(text, mark);
    return mark;
  };
  const isNamed = (path: Path) =>
    named.some((each) => each.length === path.length && each.every((key, index) => key === "*" || key === path[index]));

  /** Marks what is secret by its place or its form. */
  const byPlace = (value: Json, path: Path, isSecret: boolean, isWhole: boolean): Json => {
    if (Array.isArray(value))
      return value.map((each, index) => byPlace(each, ...stepInto(path, String(index), isSecret, isWhole)));
    if (typeof value === "object" && value !== null) {
      const isSecretValue = (key: string) =>
        key === "value" && typeof value["name"] === "string" && SECRET_NAME.test(value["name"]);
      return fromEntries(
        Object.entries(value).map(([key, each]) => [
          key,
          byPlace(each, ...stepInto(path, key, isSecret || isSecretValue(key), isWhole)),
        ]),
      );
    }
    const isText = typeof value === "string";
    if (value === null || value === "" || isRedacted(value)) return value;
    const isOne = isWhole || (isText && (isSecret || SECRET_FORMS.some((form) => form.test(value))));
    if (!isOne) return value;
    fields.add(toDotted(path));
    return markOf(value);
  };
  const stepInto = (path: Path, key: string, isSecret: boolean, isWhole: boolean): [Path, boolean, boolean] => {
    const below = [...path, key];
    return [below, isSecret || SECRET_NAME.test(key) || MANIFEST_COPIES.includes(key), isWhole || isNamed(below)];
  };
  /** Marks what was found to be secret where it stands somewhere else, alone or within a text. */
  const byValue = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(byValue);
    if (typeof value === "object" && value !== null)
      return fromEntries(Object.entries(value).map(([key, each]) => [key, byValue(each)]));
    if (typeof value !== "string" || value.startsWith("(redacted ")) return value;
    let text = value;
    for (const [secret, mark] of marks) {
      if (secret.length >= SAME_LENGTH_MIN && text === secret) return mark;
      if (secret.length >= PART_LENGTH_MIN) text = text.replaceAll(secret, mark);
    }
    return SECRET_FORMS.some((form) => form.test(text)) ? markOf(text) : text;
  };

  return {
    redact(event) {
      const { data } = event;
      const before = beforeOf(opOf(event), data);
      const placed = [before, data.object].map((each) => each && byPlace(each as Json, [], false, false));
      const [from, to] = placed.map((each) => (each === undefined || each === null ? null : byValue(each)));
      const isSame = JSON.stringify([from, to]) === JSON.stringify([before, data.object]);
      const patch = isSame || data.patch === undefined ? data.patch : diff(from ?? {}, to ?? {});
      const transitions = byValue(data.transitions as Json);
      return { ...event, data: { ...data, object: to, transitions, ...(patch && { patch }) } } as Envelope;
    },
    fields: () => [...fields].toSorted(),
  };
}

/** A key may be called `__proto__`. */
function fromEntries(entries: readonly (readonly [string, Json])[]): Json {
  return Object.fromEntries(entries) as Json;
}
