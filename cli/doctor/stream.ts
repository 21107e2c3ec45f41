/**
 * The streams: whether they are there with the settings that carry the guarantees, how full they are, whether all their replicas follow, and
 * whether the account has room for those that are still to be made. They are compared by the code that makes them, over a connection
 * that cannot.
 * Source: JetStream API, `$JS.API.INFO` and `$JS.API.STREAM.INFO`.
 */
import { z } from "zod";
import {
  BLOBS_BUCKET,
  DEAD_LETTERS_STREAM,
  EVENTS_STREAM,
  ensureStream,
  type JetStream,
  JetStreamApiError,
  unlessMissing,
} from "#contract";
import type { StreamDefinition } from "../../bridge/nats/nats-requirement.ts";
import { count, type Finding, failed, passed, reasonOf, sentences, warning } from "./check.ts";

/** A stream that is to be there. */
export interface ExpectedStream {
  readonly definition: StreamDefinition;
  /** Who makes it when it is missing. */
  readonly maker: "bridge" | "functions";
  /** Whether all of its settings are known from a configuration, or only those that carry a guarantee. */
  readonly configured: boolean;
}

const Limits = z.object({
  reserved_storage: z.number().default(0),
  storage: z.number(),
  limits: z.object({
    max_storage: z.number(),
    storage_max_stream_bytes: z.number().default(-1),
    max_bytes_required: z.boolean().default(false),
  }),
});
const Account = z.looseObject({ ...Limits.partial().shape, tiers: z.record(z.string(), Limits).optional() });

const StreamInfo = z.object({
  config: z.object({ max_bytes: z.number().default(-1), num_replicas: z.number().default(1) }),
  state: z.object({ messages: z.number(), bytes: z.number() }),
  cluster: z
    .object({
      replicas: z
        .array(z.object({ name: z.string(), current: z.boolean().default(false), offline: z.boolean().default(false) }))
        .default([]),
    })
    .optional(),
});
type StreamInfo = z.infer<typeof StreamInfo>;

/** Time to make room, before the bridge stops at a full log. */
const FULL_WARNING = 0.8;
/** The next event may not fit any more. */
const FULL_FAILED = 0.99;
const MIB = 1024 ** 2;

/** The account's room, then each stream. Rejects when NATS does not answer. */
export async function checkStreams(
  reading: JetStream,
  expected: readonly ExpectedStream[],
  clusterName: string | undefined,
): Promise<readonly Finding[]> {
  const account = Account.parse(await reading.api("INFO"));
  const found: { readonly stream: ExpectedStream; readonly info: StreamInfo | undefined }[] = [];
  const findings: Finding[] = [];
  for (const stream of expected) {
    const { name } = stream.definition.config;
    try {
      const info = await unlessMissing("stream", reading.api(`STREAM.INFO.${name}`));
      found.push({ stream, info: info === undefined ? undefined : StreamInfo.parse(info) });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "NOT_PERMITTED")) throw error;
    }
  }
  const missing = found.filter(({ info }) => info === undefined).map(({ stream }) => stream);
  findings.push(checkRoom(account, missing));
  for (const { stream, info } of found) {
    findings.push(...(info === undefined ? [stillToMake(stream, clusterName)] : await checkOne(reading, stream, info)));
  }
  return findings;
}

/** Whether the streams that are missing may be made. The server counts their whole size limits, times their replicas. */
function checkRoom(account: z.infer<typeof Account>, missing: readonly ExpectedStream[]): Finding {
  const replicas = Number(missing[0]?.definition.config["num_replicas"] ?? 1);
  const tier = account.tiers?.[`R${replicas}`];
  const parsed = Limits.safeParse(tier ?? account);
  if (!parsed.success) return passed("jetstream", "JetStream is on");
  const { storage, reserved_storage, limits } = parsed.data;
  const sizes = missing.map(({ definition }) => Math.max(0, Number(definition.config["max_bytes"] ?? 0)));
  const needed = sizes.reduce((sum, bytes) => sum + bytes, 0) * (tier === undefined ? replicas : 1);
  const left = limits.max_storage - Math.max(reserved_storage, storage);
  const names = missing.map(({ definition }) => definition.config.name).join(" and ");
  if (limits.max_storage >= 0 && left < needed) {
    return failed(
      "jetstream",
      `JetStream: ${names} need ${bytes(needed)}, and this account has ${bytes(Math.max(0, left))} left`,
      `streams: { eventsBytesMax: … } in bridge.yaml, or a larger max_file for the account in nats-server.conf`,
    );
  }
  const tooLarge = limits.storage_max_stream_bytes > 0 && sizes.some((size) => size > limits.storage_max_stream_bytes);
  if (tooLarge) {
    const most = bytes(limits.storage_max_stream_bytes);
    return failed(
      "jetstream",
      `JetStream: a stream of this account may have ${most} at most`,
      `streams: { eventsBytesMax: ${limits.storage_max_stream_bytes} } in bridge.yaml`,
    );
  }
  if (limits.max_bytes_required && missing.length > 0)
    return failed(
      "jetstream",
      "JetStream: this account must limit each stream, and checkpoints have no limit",
      "max_bytes_required: false for the account",
    );
  const of = limits.max_storage < 0 ? "no limit for this account" : `of ${bytes(limits.max_storage)}`;
  return passed("jetstream", `JetStream: ${bytes(storage)} stored, ${of}`);
}

function stillToMake({ definition, maker }: ExpectedStream, clusterName: string | undefined): Finding {
  const { name, num_replicas } = definition.config;
  if (Number(num_replicas) > 1 && clusterName === undefined) {
    return failed(
      name,
      `${name} is to have ${num_replicas} replicas, and this nats-server stands alone`,
      "streams: { replicas: 1 } in bridge.yaml, or a cluster of three servers",
    );
  }
  const when = maker === "bridge" ? "the bridge makes it when it starts" : "the functions make it when they need it";
  return passed(name, `${name}: not there yet, ${when}`);
}

async function checkOne(
  reading: JetStream,
  { definition, configured }: ExpectedStream,
  info: StreamInfo,
): Promise<readonly Finding[]> {
  const { name } = definition.config;
  const compared = configured ? definition : guardedOnly(definition);
  try {
    const remarks = await ensureStream(reading, compared);
    const notes = remarks.map((remark) => {
      const [difference = remark] = remark.split("; it was left");
      return warning(name, difference, `nats stream edit ${name}, or the same in bridge.yaml`);
    });
    return [...notes, ...replicaFindings(name, info), describe(name, info)];
  } catch (error) {
    if (error instanceof JetStreamApiError) throw error;
    const { problem, advice } = sentences(error);
    return [failed(name, problem, advice.replace(/^[^.]*\. /, "") || `nats stream info ${name}`)];
  }
}

/** Without a configuration only the settings that must be as they are. */
function guardedOnly({ config, guarded }: StreamDefinition): StreamDefinition {
  const entries = Object.entries(config).filter(([key]) => guarded.includes(key));
  return { config: { ...Object.fromEntries(entries), name: config.name }, guarded };
}

function replicaFindings(name: string, { cluster }: StreamInfo): readonly Finding[] {
  const behind = cluster?.replicas.filter(({ current, offline }) => offline || !current) ?? [];
  if (behind.length === 0) return [];
  const names = behind.map((replica) => `${replica.name}${replica.offline ? " (away)" : ""}`).join(", ");
  return [warning(name, `${name}: replicas do not follow: ${names}`, `nats stream cluster info ${name}`)];
}

function describe(name: string, { config, state }: StreamInfo): Finding {
  const share = config.max_bytes > 0 ? state.bytes / config.max_bytes : 0;
  const full = config.max_bytes > 0 ? `${Math.round(share * 100)} % of ${bytes(config.max_bytes)}` : bytes(state.bytes);
  const text = `${name}: ${count(state.messages, "message")}, ${full}, ${count(config.num_replicas, "replica")}`;
  const next = `nats stream edit ${name} --max-bytes=${Math.ceil((2 * config.max_bytes) / MIB)}MiB`;
  if (share >= FULL_FAILED && name === EVENTS_STREAM) return failed(name, `${text}: the bridge stops`, next);
  if (share >= FULL_WARNING && name === EVENTS_STREAM)
    return warning(name, `${text}: full, the bridge will stop`, next);
  if (share >= FULL_WARNING && name === `OBJ_${BLOBS_BUCKET}`)
    return warning(name, `${text}: full, objects with very large events will wait`, next);
  if (share >= FULL_WARNING && name === DEAD_LETTERS_STREAM) return warning(name, `${text}: the oldest will go`, next);
  return passed(name, text);
}

/** Such as `1.5 GiB`. */
export function bytes(size: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, size < 1 ? 0 : Math.floor(Math.log2(size) / 10));
  const number = size / 1024 ** power;
  return `${Number.isInteger(number) ? number : number.toFixed(1)} ${units[power]}`;
}

/** Why the streams could not be looked at. */
export function streamsUnknown(error: unknown): Finding {
  return failed("jetstream", `JetStream: ${reasonOf(error)}`, "nats server check jetstream");
}
