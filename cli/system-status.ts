/**
 * Everything that says whether all is right, from NATS alone: how full the log is, how far each watch is, what waits for each subscription, what
 * was given up, and what is silent. Bridges that are named by their address tell the objects, too.
 */
import { BridgeStatus, EVENTS_STREAM, type JetStream, loadCheckpoints, unlessMissing } from "#contract";
import { type SurveyedSubscription, surveySubscriptions } from "#kit";
import { type ListedSilence, surveySilences } from "./silence-survey.ts";

/** How far a watch is, as its checkpoint says. */
export interface SurveyedWatch {
  readonly cluster: string;
  /** Such as `databases.demo.example.com`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  /** Since its bridge last said how far it is: a minute at most while it runs. */
  readonly ageSeconds: number;
}

/** Everything that is told. */
export interface SystemStatus {
  readonly ok: boolean;
  /** What is not all right, as sentences. */
  readonly problems: readonly string[];
  /** `undefined`: there is no log. */
  readonly log: { readonly events: number; readonly bytes: number; readonly bytesMax: number } | undefined;
  readonly watches: readonly SurveyedWatch[];
  readonly subscriptions: readonly SurveyedSubscription[];
  /** Those that are on. */
  readonly silences: readonly ListedSilence[];
  readonly bridges: readonly { readonly url: string; readonly status: BridgeStatus }[];
}

/** A bridge does not answer as one. */
class StatusError extends Error {
  readonly code = "STATUS";
  override readonly name = "StatusError";
}

/** Bookmarks come every minute, and the checkpoint follows them. */
const WATCH_SECONDS_MAX = 300;
/** The janitor makes room above 80 %; more is left when nobody has read it. */
const LOG_SHARE_MAX = 0.9;
/** Longer than retries usually take. */
const WAITING_SECONDS_MAX = 900;
const ANSWER_MS_MAX = 10_000;

/** Asks NATS, and the bridges at these addresses. Throws StatusError, JetStreamApiError and RequestLostError. */
export async function surveySystem(
  jetStream: JetStream,
  urls: readonly string[],
  signal: AbortSignal,
): Promise<SystemStatus> {
  return judged({
    bridges: await Promise.all(urls.map((url) => askBridge(url, signal))),
    log: await logOf(jetStream),
    watches: await watchesOf(jetStream),
    subscriptions: await surveySubscriptions(jetStream),
    silences: (await surveySilences(jetStream, signal)).filter(({ state }) => state === "on"),
  });
}

interface StreamInfo {
  readonly config: { readonly max_bytes: number };
  readonly state: { readonly messages: number; readonly bytes: number };
}

async function logOf(jetStream: JetStream): Promise<SystemStatus["log"]> {
  const info = await unlessMissing("stream", jetStream.api<StreamInfo>(`STREAM.INFO.${EVENTS_STREAM}`));
  return info && { events: info.state.messages, bytes: info.state.bytes, bytesMax: info.config.max_bytes };
}

async function watchesOf(jetStream: JetStream): Promise<readonly SurveyedWatch[]> {
  const checkpoints = (await unlessMissing("stream", loadCheckpoints(jetStream, ">"))) ?? new Map();
  const watches: SurveyedWatch[] = [];
  for (const [key, { watch, savedAt }] of checkpoints) {
    const [cluster = ""] = key.split(".");
    const group = watch?.apiVersion.includes("/") ? `.${watch.apiVersion.split("/")[0]}` : "";
    const resource = watch === undefined ? key : `${watch.plural}${group}`;
    const ageSeconds = Math.max(0, Math.round((Date.now() - Date.parse(savedAt)) / 1000));
    watches.push({ cluster, resource, namespace: watch?.namespace, ageSeconds });
  }
  return watches.sort((a, b) => (`${a.cluster} ${a.resource}` < `${b.cluster} ${b.resource}` ? -1 : 1));
}

async function askBridge(url: string, signal: AbortSignal): Promise<SystemStatus["bridges"][number]> {
  const token = process.env["CR_STATUS_TOKEN"];
  const answer = await fetch(new URL("/status", url), {
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
    redirect: "error",
    headers: token ? { authorization: `Bearer ${token}` } : {},
  }).catch((cause: Error) => {
    throw new StatusError(`${url} does not answer (${cause.message}): is it the address of a bridge's health port?`, {
      cause,
    });
  });
  if (answer.status === 401) throw new StatusError(`${url} wants a token: set CR_STATUS_TOKEN to that of health.token`);
  const status = BridgeStatus.safeParse(await answer.json().catch(() => undefined));
  if (!answer.ok || !status.success)
    throw new StatusError(`${url} answers ${answer.status}, not as a bridge at /status does: check the address`);
  return { url, status: status.data };
}

/** Says what is not all right. */
function judged(found: Omit<SystemStatus, "ok" | "problems">): SystemStatus {
  const problems = [
    ...logProblems(found),
    ...watchProblems(found),
    ...subscriptionProblems(found),
    ...bridgeProblems(found),
  ];
  return { ok: problems.length === 0, problems, ...found };
}

function logProblems({ log }: Pick<SystemStatus, "log">): readonly string[] {
  if (log === undefined) return [`there is no stream ${EVENTS_STREAM}: no bridge has been here`];
  const share = log.bytesMax > 0 ? log.bytes / log.bytesMax : 0;
  const percent = Math.round(share * 100);
  return share > LOG_SHARE_MAX
    ? [`the log is ${percent} % full: raise streams.eventsBytesMax before capture waits`]
    : [];
}

/** A watch that is asked for no more keeps its checkpoint: only a cluster of which nothing is heard is a problem. */
function watchProblems({ watches }: Pick<SystemStatus, "watches">): readonly string[] {
  const youngest = new Map<string, number>();
  for (const { cluster, ageSeconds } of watches)
    youngest.set(cluster, Math.min(ageSeconds, youngest.get(cluster) ?? Number.POSITIVE_INFINITY));
  return [...youngest]
    .filter(([, age]) => age > WATCH_SECONDS_MAX)
    .map(([cluster, age]) => `no watch of the cluster ${cluster} has gone on for ${age} s: is its bridge running?`);
}

function subscriptionProblems({ subscriptions }: Pick<SystemStatus, "subscriptions">): readonly string[] {
  return subscriptions.flatMap(({ name, backlog, deadLetters, attended }) => {
    const waits = backlog.pending + backlog.unfinished > 0;
    return [
      ...(waits && attended === 0 ? [`${name}: events wait, and no process works on it`] : []),
      ...(waits && attended > 0 && backlog.oldestSeconds > WAITING_SECONDS_MAX
        ? [`${name}: an event has waited for ${Math.round(backlog.oldestSeconds)} s`]
        : []),
      ...(deadLetters > 0
        ? [`${name}: ${deadLetters} given up (cr-reactor dead-letters list --subscription ${name})`]
        : []),
    ];
  });
}

function bridgeProblems({ bridges }: Pick<SystemStatus, "bridges">): readonly string[] {
  return bridges
    .filter(({ status }) => !status.ready)
    .map(({ url }) => `the bridge at ${url} is not ready (ask its /readyz)`);
}
