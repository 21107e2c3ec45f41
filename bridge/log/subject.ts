/**
 * The NATS subject of an event: eleven tokens, so that the server filters and a function sleeps until its case occurs.
 *
 *     cr.<cluster>.<group>.<Kind>.<namespace>.<name>.<op>.<spec|_>.<status|_>.<new phase|_>.<partition>
 *
 * The first six are the object. Every token is encoded reversibly, because a raw space, dot or wildcard in a name would split
 * the protocol line or match something else (NATS subject-based messaging: "." separates, "*" and ">" are wildcards).
 */
import { hash } from "node:crypto";
import type { Op } from "../event/change.ts";

/** What every subject of an event begins with. */
export const SUBJECT_ROOT = "cr";
/** Stands for "does not apply" in the spec, status and phase tokens. */
export const NONE = "_";
/** Partitions are 00 to 63: enough for as many processes of one subscription, few enough to list. */
export const PARTITION_COUNT = 64;
/** A phase is free text; longer ones are cut, so that a subject stays far below the server's 4 KB protocol line. */
const PHASE_BYTES_MAX = 64;

/** Names one object across clusters. `namespace` is empty for cluster-scoped kinds, `group` for the core group. */
export interface ObjectName {
  readonly cluster: string;
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** What the tokens behind the object tell. `phase` is the new phase, if this event brought it. */
export interface SubjectFacts {
  readonly op: Op;
  readonly spec: boolean;
  readonly status: boolean;
  readonly phase: string | undefined;
}

/** The first six tokens: the object. All its events have subjects that start with it. */
export function objectSubject(object: ObjectName): string {
  const { cluster, group, kind, namespace, name } = object;
  return `${SUBJECT_ROOT}.${encodeToken(cluster)}.${encodeToken(group)}.${encodeToken(kind)}.${encodeToken(namespace)}.${encodeToken(name)}`;
}

/** The whole subject of an event of the object whose first six tokens are `object`. */
export function eventSubject(object: string, facts: SubjectFacts): string {
  const spec = facts.spec ? "spec" : NONE;
  const status = facts.status ? "status" : NONE;
  const phase = facts.phase === undefined ? NONE : encodePhase(facts.phase);
  return `${object}.${facts.op}.${spec}.${status}.${phase}.${partitionToken(object)}`;
}

/** Reads the object out of a subject of an event or of its first six tokens. Throws an Error on anything else. */
export function parseObjectSubject(subject: string): ObjectName {
  const [root, cluster, group, kind, namespace, name] = subject.split(".");
  if (root !== SUBJECT_ROOT || !cluster || !group || !kind || !namespace || !name) {
    throw new Error(
      `subject "${subject}" is not one of cr-reactor's: expected cr.<cluster>.<group>.<Kind>.<namespace>.<name>…`,
    );
  }
  return {
    cluster: decodeToken(cluster),
    group: decodeToken(group),
    kind: decodeToken(kind),
    namespace: decodeToken(namespace),
    name: decodeToken(name),
  };
}

/** The object's part of an event's subject: everything before the seventh token. */
export function objectPart(subject: string): string {
  let end = -1;
  for (let dots = 0; dots < 6; dots++) {
    end = subject.indexOf(".", end + 1);
    if (end < 0) return subject;
  }
  return subject.slice(0, end);
}

/** What happened, read from an event's subject. */
export function opIn(subject: string): Op {
  return subject.split(".", 7)[6] as Op;
}

/** The token of the phase that an event brought, from its subject; `undefined` when it brought none. */
export function phaseTokenIn(subject: string): string | undefined {
  const token = subject.split(".", 10)[9];
  return token === NONE ? undefined : token;
}

/**
 * Encodes any text as one subject token: letters, digits and `-` stay, `.` becomes `_`, any other byte of its UTF-8 becomes
 * `=XX`, the empty text becomes `=`. A lone `.` becomes `=2E`, because `_` alone stands for none.
 */
export function encodeToken(text: string): string {
  if (/^[A-Za-z0-9-]+$/.test(text)) return text;
  if (text === "") return "=";
  if (text === ".") return "=2E";
  if (/^[A-Za-z0-9.-]+$/.test(text)) return text.replaceAll(".", "_");
  let token = "";
  for (const byte of Buffer.from(text, "utf8")) {
    if (isPlain(byte)) token += String.fromCharCode(byte);
    else if (byte === 0x2e) token += "_";
    else token += `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** Undoes `encodeToken`. */
export function decodeToken(token: string): string {
  if (token === "=") return "";
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const character = token.charAt(i);
    if (character === "_") bytes.push(0x2e);
    else if (character !== "=") bytes.push(token.charCodeAt(i));
    else {
      const hex = token.slice(i + 1, i + 3);
      if (!/^[0-9A-F]{2}$/.test(hex))
        throw new Error(`subject token "${token}" has "=" without two hexadecimal digits behind it`);
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    }
  }
  return Buffer.from(bytes).toString("utf8");
}

/** Encodes a phase; one longer than 64 bytes is cut and ends in a hash of the whole, so that different ones stay different. */
export function encodePhase(phase: string): string {
  const token = encodeToken(phase);
  if (token.length <= PHASE_BYTES_MAX) return token;
  const digest = hash("sha256", phase, "hex").slice(0, 8);
  const kept = token.slice(0, PHASE_BYTES_MAX - 1 - digest.length).replace(/=[0-9A-F]?$/, "");
  return `${kept}-${digest}`;
}

/** The partition of an object, `00` to `63`: FNV-1a (32 bits) of its six tokens, so that it never changes. */
export function partitionToken(object: string): string {
  let hash32 = 0x811c9dc5;
  for (let i = 0; i < object.length; i++) hash32 = Math.imul(hash32 ^ object.charCodeAt(i), 0x01000193);
  return String((hash32 >>> 0) % PARTITION_COUNT).padStart(2, "0");
}

function isPlain(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d
  );
}
