/**
 * What the bridge requires of NATS, as data: the server's version, the streams it makes, and the subjects its user must be allowed,
 * so that `doctor` can compare before the bridge is refused. Beside it, how permissions are compared with a requirement. The list is held by
 * a test that runs a bridge as a user who may do this and nothing else.
 * Source: NATS documentation, "Authorization" (allow and deny lists of subjects, deny wins); ADR-8, ADR-31 and the JetStream API
 * for the subjects.
 */
import { encodeToken, SUBJECT_ROOT } from "../log/subject.ts";
import { DEAD_LETTERS_STREAM, TIMERS_STREAM } from "./function-stream.ts";
import { BLOBS_BUCKET, CHECKPOINTS_BUCKET, EVENTS_STREAM, SCHEMAS_BUCKET } from "./stream.ts";

export { NATS_VERSION_MIN } from "./jetstream.ts";
export { blobsStream, checkpointsStream, eventsStream, type StreamDefinition } from "./stream.ts";

/** Subjects that a NATS user must be allowed; patterns with `*` and `>` stand for all that they match. */
export interface NatsRequirement {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** What a NATS user may do with subjects: without `allow` everything, except what `deny` says. */
export interface NatsPermission {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
}

/** Answers a user's own permissions; nothing but `doctor` asks it. */
export const USER_INFO_SUBJECT = "$SYS.REQ.USER.INFO";

/** What every process of cr-reactor asks JetStream for, and where the answers come. */
export const EVERYBODY: NatsRequirement = { publish: ["$JS.API.INFO"], subscribe: ["_INBOX.>"] };

/** What the bridge of this cluster needs; without a cluster's name, any bridge. */
export function bridgeRequirement(cluster?: string): NatsRequirement {
  const checkpoints = `KV_${CHECKPOINTS_BUCKET}`;
  const blobs = `OBJ_${BLOBS_BUCKET}`;
  const schemas = `KV_${SCHEMAS_BUCKET}`;
  return {
    publish: [
      `${SUBJECT_ROOT}.${cluster === undefined ? "" : `${encodeToken(cluster)}.`}>`,
      `$KV.${CHECKPOINTS_BUCKET}.>`,
      `$O.${BLOBS_BUCKET}.>`,
      `$KV.${SCHEMAS_BUCKET}.${cluster === undefined ? "" : `${encodeToken(cluster)}.`}>`,
      ...EVERYBODY.publish,
      ...[EVENTS_STREAM, checkpoints, blobs, schemas].flatMap((stream) =>
        ["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET"].map((call) => `$JS.API.${call}.${stream}`),
      ),
      // The janitor removes what every subscription has read.
      `$JS.API.STREAM.PURGE.${EVENTS_STREAM}`,
      `$JS.API.CONSUMER.LIST.${EVENTS_STREAM}`,
      // Blobs that nobody names any more are removed; dead letters, and what waits, name them too.
      `$JS.API.STREAM.MSG.DELETE.${blobs}`,
      `$JS.API.STREAM.PURGE.${blobs}`,
      ...[DEAD_LETTERS_STREAM, TIMERS_STREAM].map((stream) => `$JS.API.STREAM.INFO.${stream}`),
      // The index, and what blobs there are, are read with consumers that the server names.
      ...[EVENTS_STREAM, blobs].flatMap((stream) => [
        `$JS.API.CONSUMER.CREATE.${stream}`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
        `$JS.API.CONSUMER.INFO.${stream}.*`,
        `$JS.API.CONSUMER.DELETE.${stream}.*`,
      ]),
    ],
    subscribe: EVERYBODY.subscribe,
  };
}

/** The subjects of the requirement that the permission does not grant as a whole. */
export function notAllowed(required: readonly string[], { allow, deny = [] }: NatsPermission): readonly string[] {
  return required.filter(
    (subject) =>
      (allow !== undefined && !allow.some((pattern) => covers(pattern, subject))) ||
      deny.some((pattern) => overlaps(pattern, subject)),
  );
}

/** Whether the pattern matches every subject that `subject`, itself perhaps a pattern, stands for. */
function covers(pattern: string, subject: string): boolean {
  const [wide, narrow] = [tokensOf(pattern), tokensOf(subject)];
  for (const [index, token] of wide.entries()) {
    const other = narrow[index];
    if (other === undefined) return false;
    if (token === ">") return true;
    if (other === ">" || (token !== "*" && token !== other)) return false;
  }
  return wide.length === narrow.length;
}

/** Whether some subject matches both patterns. */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [tokensOf(a), tokensOf(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [one, other] = [left[index], right[index]];
    if (one === undefined || other === undefined) return false;
    if (one === ">" || other === ">") return true;
    if (one !== "*" && other !== "*" && one !== other) return false;
  }
  return true;
}

/** A subscribe permission may name a queue behind the subject. */
function tokensOf(pattern: string): string[] {
  return (pattern.split(/\s+/)[0] ?? "").split(".");
}
