/**
 * Whether the NATS user may do what the bridge and the functions need. The server tells a user its own permissions; a user that may not
 * even ask is tried with the questions that change nothing, which is less than the whole.
 * Source: `$SYS.REQ.USER.INFO` of nats-server (since 2.10).
 */
import { z } from "zod";
import {
  BLOBS_BUCKET,
  DEAD_LETTERS_ROOT,
  DEAD_LETTERS_STREAM,
  EVENTS_STREAM,
  INCIDENTS_BUCKET,
  type JetStream,
  RETRIES_STREAM,
  SCHEMAS_BUCKET,
  SILENCES_BUCKET,
  STEPS_BUCKET,
  SUBSCRIPTIONS_BUCKET,
  TIMERS_ROOT,
  TIMERS_STREAM,
} from "#contract";
import {
  EVERYBODY,
  type NatsPermission,
  type NatsRequirement,
  notAllowed,
  USER_INFO_SUBJECT,
} from "../../bridge/nats/nats-requirement.ts";
import { type Finding, failed, passed, warning } from "./check.ts";
import { NotPermittedError } from "./read-only.ts";

/** Who will use these credentials, and what for. */
export interface Role {
  readonly name: "bridge" | "functions";
  readonly requirement: NatsRequirement;
  /** Whether a configuration says so; without one a missing permission is no failure yet. */
  readonly certain: boolean;
}

const Subjects = z.object({ allow: z.array(z.string()).nullish(), deny: z.array(z.string()).nullish() });
const UserInfo = z.object({
  data: z.object({
    user: z.string().default(""),
    account: z.string().default(""),
    permissions: z.object({ publish: Subjects.nullish(), subscribe: Subjects.nullish() }).nullish(),
  }),
});

/** Who is signed in, and what they may; without a limit `publish` and `subscribe` are empty. */
export interface NatsUser {
  readonly user: string;
  readonly account: string;
  readonly publish: NatsPermission;
  readonly subscribe: NatsPermission;
}

/** What the functions need; used in functions/kit: bucket, consumer, overrun, acknowledgement, delivery, dead-letter, schema-watch, nats-memory. */
export const FUNCTIONS_REQUIREMENT: NatsRequirement = {
  publish: [
    `${DEAD_LETTERS_ROOT}.>`,
    ...EVERYBODY.publish,
    `$JS.API.STREAM.INFO.${EVENTS_STREAM}`,
    `$JS.API.STREAM.INFO.${DEAD_LETTERS_STREAM}`,
    `$JS.API.STREAM.MSG.GET.${EVENTS_STREAM}`,
    `$JS.API.STREAM.CREATE.${DEAD_LETTERS_STREAM}`,
    `$JS.API.CONSUMER.INFO.${EVENTS_STREAM}.*`,
    `$JS.API.CONSUMER.CREATE.${EVENTS_STREAM}.*`,
    // Where in the log a place is, is asked with a consumer that the server names.
    `$JS.API.CONSUMER.CREATE.${EVENTS_STREAM}`,
    `$JS.API.CONSUMER.MSG.NEXT.${EVENTS_STREAM}.*`,
    `$JS.API.CONSUMER.LIST.${EVENTS_STREAM}`,
    `$JS.API.CONSUMER.DELETE.${EVENTS_STREAM}.*`,
    // Who runs what, and since when with which filter.
    `$KV.${SUBSCRIPTIONS_BUCKET}.>`,
    `$JS.API.STREAM.INFO.KV_${SUBSCRIPTIONS_BUCKET}`,
    `$JS.API.STREAM.CREATE.KV_${SUBSCRIPTIONS_BUCKET}`,
    `$JS.API.STREAM.MSG.GET.KV_${SUBSCRIPTIONS_BUCKET}`,
    `$JS.API.CONSUMER.CREATE.KV_${SUBSCRIPTIONS_BUCKET}`,
    `$JS.API.CONSUMER.MSG.NEXT.KV_${SUBSCRIPTIONS_BUCKET}.*`,
    `$JS.API.CONSUMER.DELETE.KV_${SUBSCRIPTIONS_BUCKET}.*`,
    // The data of very large events.
    `$JS.API.STREAM.MSG.GET.OBJ_${BLOBS_BUCKET}`,
    // Filters are checked against the schemas of their kinds.
    `$JS.API.STREAM.INFO.KV_${SCHEMAS_BUCKET}`,
    `$JS.API.STREAM.MSG.GET.KV_${SCHEMAS_BUCKET}`,
    // Dead letters that are to be tried again.
    ...["STREAM.MSG.GET", "STREAM.MSG.DELETE"].map((call) => `$JS.API.${call}.${DEAD_LETTERS_STREAM}`),
    ...["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET", "STREAM.MSG.DELETE"].map(
      (call) => `$JS.API.${call}.${RETRIES_STREAM}`,
    ),
    `$JS.API.CONSUMER.CREATE.${RETRIES_STREAM}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${RETRIES_STREAM}.*`,
    // An object's events in the log.
    `$JS.API.CONSUMER.CREATE.${EVENTS_STREAM}`,
    // What is due later.
    `${TIMERS_ROOT}.>`,
    ...["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET", "STREAM.MSG.DELETE"].map(
      (call) => `$JS.API.${call}.${TIMERS_STREAM}`,
    ),
    `$JS.API.CONSUMER.CREATE.${TIMERS_STREAM}.>`,
    // What waits together is read, and what waits is counted, with consumers that the server names.
    `$JS.API.CONSUMER.CREATE.${TIMERS_STREAM}`,
    ...["INFO", "DELETE"].map((call) => `$JS.API.CONSUMER.${call}.${TIMERS_STREAM}.*`),
    `$JS.API.CONSUMER.MSG.NEXT.${TIMERS_STREAM}.*`,
    // What waits for one call, and what silences held back, is read with consumers that the server names.
    `$JS.API.CONSUMER.CREATE.${TIMERS_STREAM}`,
    ...["INFO", "DELETE"].map((call) => `$JS.API.CONSUMER.${call}.${TIMERS_STREAM}.*`),
    // Silences are read, and made by people alone.
    ...["STREAM.INFO", "STREAM.CREATE", "CONSUMER.CREATE"].map((call) => `$JS.API.${call}.KV_${SILENCES_BUCKET}`),
    ...["MSG.NEXT", "DELETE"].map((call) => `$JS.API.CONSUMER.${call}.KV_${SILENCES_BUCKET}.*`),
    // What steps gave.
    `$KV.${STEPS_BUCKET}.>`,
    ...["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET"].map((call) => `$JS.API.${call}.KV_${STEPS_BUCKET}`),
    // Incidents; of one that nothing is remembered of, the object's events are read.
    `$KV.${INCIDENTS_BUCKET}.>`,
    ...["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET"].map((call) => `$JS.API.${call}.KV_${INCIDENTS_BUCKET}`),
    `$JS.API.CONSUMER.CREATE.${EVENTS_STREAM}`,
    // Not `$JS.ACK.CR_EVENTS.>`: newer servers may put domain and account before the stream (ADR-15).
    "$JS.ACK.>",
  ],
  subscribe: [...EVERYBODY.subscribe, `$KV.${SCHEMAS_BUCKET}.>`],
};

/** Asks the server who is signed in. `undefined`: this user may not ask, or the server does not say. */
export async function askUser(reading: JetStream): Promise<NatsUser | undefined> {
  try {
    const reply = await reading.request(USER_INFO_SUBJECT);
    const parsed = UserInfo.safeParse(JSON.parse(Buffer.from(reply.data).toString("utf8") || "null"));
    if (!parsed.success) return undefined;
    const { user, account, permissions } = parsed.data.data;
    return { user, account, publish: granted(permissions?.publish), subscribe: granted(permissions?.subscribe) };
  } catch (error) {
    if (error instanceof NotPermittedError) return undefined;
    throw error;
  }
}

/** A list that the server leaves out, or leaves empty, limits nothing. */
function granted(subjects: z.infer<typeof Subjects> | null | undefined): NatsPermission {
  return { allow: subjects?.allow?.length ? subjects.allow : undefined, deny: subjects?.deny ?? undefined };
}

/** One finding for each role. */
export async function checkPermissions(
  reading: JetStream,
  user: NatsUser | undefined,
  roles: readonly Role[],
): Promise<readonly Finding[]> {
  if (user === undefined) return await Promise.all(roles.map((role) => tryPermissions(reading, role, roles)));
  return roles.map((role) => {
    const { publish, subscribe } = role.requirement;
    const missing = [
      ...notAllowed(publish, user.publish).map((subject) => `publish ${subject}`),
      ...notAllowed(subscribe, user.subscribe).map((subject) => `subscribe ${subject}`),
    ];
    if (missing.length === 0) return passed(nameOf(role), `permissions: all that ${title(role)}`);
    return lacking(role, missing, roles);
  });
}

/** What can be asked without changing anything. */
async function tryPermissions(reading: JetStream, role: Role, roles: readonly Role[]): Promise<Finding> {
  const calls = role.requirement.publish.flatMap(
    (subject) => /^\$JS\.API\.(STREAM\.INFO\..*)$/.exec(subject)?.[1] ?? [],
  );
  const missing: string[] = [];
  for (const call of calls) {
    await reading.api(call).catch((error: unknown) => {
      if (error instanceof NotPermittedError) missing.push(`publish $JS.API.${call}`);
    });
  }
  if (missing.length > 0) return lacking(role, missing, roles);
  return warning(
    nameOf(role),
    `permissions of the ${role.name}: only reading could be tried, and is allowed`,
    `publish: allow "${USER_INFO_SUBJECT}" as well in nats-server.conf, then run this again`,
  );
}

function lacking(role: Role, missing: readonly string[], roles: readonly Role[]): Finding {
  const tell = role.certain ? failed : warning;
  const shown =
    missing.length > SHOWN_MAX ? [...missing.slice(0, SHOWN_MAX), `and ${missing.length - SHOWN_MAX} more`] : missing;
  return tell(nameOf(role), `this user lacks what ${title(role)}: ${shown.join(", ")}`, permissionsSetting(roles));
}

/** Enough to see what it is about; the setting names all of them. */
const SHOWN_MAX = 4;

/** The lines for nats-server.conf that give a user all that its roles need, and `doctor` its answer. */
export function permissionsSetting(roles: readonly Role[]): string {
  const list = (subjects: readonly string[]) =>
    [...new Set(subjects)].map((subject) => JSON.stringify(subject)).join(", ");
  const publish = list([...roles.flatMap(({ requirement }) => requirement.publish), USER_INFO_SUBJECT]);
  const subscribe = list(roles.flatMap(({ requirement }) => requirement.subscribe));
  return `for this user in nats-server.conf: permissions: { publish: [${publish}], subscribe: [${subscribe}] }`;
}

function nameOf({ name }: Role): string {
  return `permissions-${name}`;
}

function title({ name }: Role): string {
  return name === "bridge" ? "the bridge needs" : "the functions need";
}
