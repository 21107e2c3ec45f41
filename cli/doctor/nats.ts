/**
 * NATS, as the bridge and the functions will find it: the servers, the sign-in, JetStream, room and settings of the streams, the largest
 * message, and the permissions. Everything is asked over a connection that cannot write.
 */
import {
  connectJetStream,
  deadLettersStream,
  incidentsStream,
  type JetStream,
  type NatsSettings,
  NatsUnreachableError,
  NatsUnusableError,
  retriesStream,
  SecretError,
  StreamSettings,
  shownServer,
  stepsStream,
  timersStream,
} from "#contract";
import { isAtLeast } from "../../bridge/dotted-version.ts";
import {
  blobsStream,
  bridgeRequirement,
  checkpointsStream,
  eventsStream,
  NATS_VERSION_MIN,
} from "../../bridge/nats/nats-requirement.ts";
import { DeadlineError, type Finding, failed, inTime, passed, reasonOf, sentences, skipped, warning } from "./check.ts";
import { type CheckedFilters, checkFilters } from "./filter.ts";
import { type Greeting, greet } from "./greeting.ts";
import {
  askUser,
  checkPermissions,
  FUNCTIONS_REQUIREMENT,
  type NatsUser,
  permissionsSetting,
  type Role,
} from "./permission.ts";
import { readOnly } from "./read-only.ts";
import { bytes, checkStreams, type ExpectedStream, streamsUnknown } from "./stream.ts";

/** Who connects, and how. */
export interface NatsTarget {
  /** Resolved. */
  readonly settings: NatsSettings;
  /** Its cluster's name and its streams' settings, as far as they are known. */
  readonly bridge: { readonly cluster: string | undefined; readonly streams: StreamSettings | undefined } | undefined;
  readonly functions: boolean;
  /** What is checked against the schemas of kinds. */
  readonly filters?: CheckedFilters | undefined;
  /** Whether configurations were given; without, it is only known what could be. */
  readonly certain: boolean;
}

type Greeted = Extract<Greeting, { type: "greeted" }>;

/** What does not fit goes through the object store, but an event's attributes, with names of any length, have to fit. */
const PAYLOAD_BYTES_MIN = 32 * 1024;
const START = "nats-server -js";
const REST = "sign-in, JetStream, streams and permissions";

/** Never rejects for what it finds. */
export async function checkNats(target: NatsTarget): Promise<readonly Finding[]> {
  const { servers = [] } = target.settings;
  const greetings = await Promise.all(servers.map(greet));
  const greeted = greetings.filter((each): each is Greeted => each.type === "greeted");
  const findings = [...serverFindings(greetings, greeted.length > 0), ...servers.flatMap(checkUrl)];
  const [first] = greeted;
  if (first === undefined) return [...findings, skipped("sign-in", `${REST}: no server answers`)];
  if (findings.some(({ name, status }) => name === "version" && status === "failed"))
    return [...findings, skipped("sign-in", `${REST}: the server is too old`)];
  return [
    ...findings,
    ...(await checkSignedIn(
      { ...target, settings: { ...target.settings, servers: greeted.map(({ url }) => url) } },
      first,
    )),
  ];
}

function serverFindings(greetings: readonly Greeting[], anyGreeted: boolean): readonly Finding[] {
  return greetings.map((greeting) => {
    const server = shownServer(greeting.url);
    if (greeting.type === "none") {
      const tell = anyGreeted ? warning : failed;
      return tell("server", `no NATS at ${server}: ${greeting.reason}`, `${START}, or set NATS_URL or nats.servers`);
    }
    const { version } = greeting.info;
    if (isAtLeast(version, NATS_VERSION_MIN)) return passed("version", `nats-server ${version} at ${server}`);
    const next = `upgrade nats-server to ${NATS_VERSION_MIN} or newer`;
    return failed("version", `nats-server ${version} at ${server} is too old (needs ${NATS_VERSION_MIN})`, next);
  });
}

/** The client takes neither user nor password from there. */
function checkUrl(url: string): readonly Finding[] {
  if (shownServer(url) === url) return [];
  return [
    warning(
      "url",
      `user and password in the URL of ${shownServer(url)} are not used`,
      "set NATS_USER and NATS_PASSWORD, or nats.user and nats.password",
    ),
  ];
}

async function checkSignedIn(target: NatsTarget, { info }: Greeted): Promise<readonly Finding[]> {
  const roles = rolesOf(target);
  const connecting = connectJetStream(target.settings, "cr-reactor doctor");
  let jetStream: JetStream;
  try {
    jetStream = await inTime(connecting, "$JS.API.INFO");
  } catch (error) {
    // It may still come; then nobody needs it any more.
    connecting.then((late) => late.close()).catch(() => undefined);
    return notSignedIn(error, info.jetstream, roles);
  }
  const findings: Finding[] = [];
  try {
    const reading = readOnly(jetStream);
    const user = await askUser(reading);
    findings.push(describeUser(user));
    findings.push(...(await checkStreams(reading, streamsOf(target), info.cluster)));
    if (target.bridge !== undefined) findings.push(checkPayload(jetStream.payloadBytesMax));
    findings.push(...(await checkPermissions(reading, user, roles)));
    if (target.filters !== undefined) findings.push(...(await checkFilters(reading, target.filters)));
  } catch (error) {
    findings.push(streamsUnknown(error));
  } finally {
    await jetStream.close();
  }
  return findings;
}

/** Which of the reasons it was that NATS cannot be used for. */
function notSignedIn(error: unknown, hasJetStream: boolean, roles: readonly Role[]): readonly Finding[] {
  const rest = skipped("streams", "streams and permissions: JetStream cannot be asked");
  const isOurs = [NatsUnusableError, NatsUnreachableError, SecretError].some((each) => error instanceof each);
  const { problem, advice } = isOurs ? sentences(error) : { problem: `no sign-in: ${reasonOf(error)}`, advice: "" };
  if (!(error instanceof DeadlineError) && !problem.startsWith("JetStream cannot be used"))
    return [failed("sign-in", problem, advice || "check nats.user, nats.password, nats.token and nats.tls"), rest];
  if (!hasJetStream)
    return [
      failed("jetstream", "JetStream is off on this server", `${START}, or jetstream {} in nats-server.conf`),
      rest,
    ];
  if (error instanceof DeadlineError || /kept silent/.test(reasonOf(error))) {
    const problem = "JetStream gives this user no answer: publish $JS.API.INFO or subscribe _INBOX.> is not allowed";
    return [failed("permissions", problem, permissionsSetting(roles)), rest];
  }
  return [
    failed("jetstream", "JetStream is off for the account of this user", "jetstream: enabled in its account"),
    rest,
  ];
}

function describeUser(user: NatsUser | undefined): Finding {
  if (user === undefined) return passed("sign-in", "signed in");
  if (user.user === "") return passed("sign-in", "this server lets everybody in");
  return passed("sign-in", `signed in as ${user.user}${user.account === "$G" ? "" : ` (account ${user.account})`}`);
}

function checkPayload(payloadBytesMax: number): Finding {
  const found = `max_payload is ${bytes(payloadBytesMax)}`;
  if (payloadBytesMax >= PAYLOAD_BYTES_MIN)
    return passed("max-payload", `${found}: larger events go through the object store`);
  return warning(
    "max-payload",
    `${found}: the attributes of an event with long names may not fit`,
    "max_payload: 1MB in nats-server.conf, at the top level",
  );
}

function rolesOf({ bridge, functions, certain }: NatsTarget): readonly Role[] {
  return [
    ...(bridge === undefined
      ? []
      : [{ name: "bridge", requirement: bridgeRequirement(bridge.cluster), certain } as const]),
    ...(functions ? [{ name: "functions", requirement: FUNCTIONS_REQUIREMENT, certain } as const] : []),
  ];
}

function streamsOf({ bridge, functions }: NatsTarget): readonly ExpectedStream[] {
  const settings = bridge?.streams ?? StreamSettings.parse({});
  const configured = bridge?.streams !== undefined;
  const log = { definition: eventsStream(settings), maker: "bridge", configured } as const;
  const blobs = { definition: blobsStream(settings), maker: "bridge", configured } as const;
  const checkpoints = { definition: checkpointsStream(settings), maker: "bridge", configured } as const;
  const ofFunctions = [deadLettersStream, retriesStream, timersStream, stepsStream, incidentsStream].map(
    (stream) => ({ definition: stream(settings), maker: "functions", configured: false }) as const,
  );
  return [log, ...(bridge === undefined ? [] : [blobs, checkpoints]), ...(functions ? ofFunctions : [])];
}
