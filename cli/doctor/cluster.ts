/**
 * The cluster, as the bridge will find it: kubeconfig, version, who is signed in, the clocks, and each resource of the configuration.
 * Nothing is written; the two reviews it posts are answered by the API server and stored nowhere.
 * Source: Kubernetes API, `/version`, SelfSubjectReview (KEP-3325, since 1.28).
 */
import { z } from "zod";
import type { BridgeConfig } from "../../bridge/config.ts";
import { isAtLeast } from "../../bridge/dotted-version.ts";
import { type ApiServer, ApiStatusError, connectApiServer, KubeconfigError } from "../../bridge/kube/api-server.ts";
import type { KubernetesSettings } from "../../bridge/kube/kubernetes-settings.ts";
import { CHECK_MS_MAX, type Finding, failed, inTime, passed, reasonOf, sentences, skipped, warning } from "./check.ts";
import { checkResources } from "./resource.ts";

/** Where the cluster is, and what the bridge is to capture there. */
export interface ClusterTarget {
  readonly settings: KubernetesSettings;
  /** `undefined`: no configuration was given, or it cannot be read. */
  readonly config: BridgeConfig | undefined;
}

const Version = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });
const Review = z.object({
  metadata: z.object({ creationTimestamp: z.string().nullish() }).default({}),
  status: z.object({ userInfo: z.object({ username: z.string().default("") }).default({ username: "" }) }),
});

/** What the tests run against, and what they have passed on (README, "Versions"); the first is the oldest by design. */
const TESTED: readonly string[] = ["1.33", "1.34", "1.35", "1.36"];
const SUPPORTED_MIN = "1.33";
/** Before this a streaming list is not refused but answered without its end, so that the bridge would wait for ever. */
const USABLE_MIN = "1.27";
/** Phases and timeouts compare times of the two. The API server tells whole seconds. */
const SKEW_SECONDS_MAX = 5;

/** Never rejects for what it finds. */
export async function checkCluster({ settings, config }: ClusterTarget): Promise<readonly Finding[]> {
  const kubectl = kubectlFor(settings);
  const rest = skipped("resources", "permissions and resources: the cluster cannot be asked");
  let apiServer: ApiServer;
  try {
    apiServer = await inTime(connectApiServer(settings), "the kubeconfig");
  } catch (error) {
    const { problem } = sentences(error);
    if (error instanceof KubeconfigError && /no kubeconfig/.test(problem))
      return [failed("kubeconfig", problem, "export KUBECONFIG=…, or --kubeconfig <file>"), rest];
    const noContext = /^the kubeconfig has no context/.test(problem) || /has no cluster for/.test(problem);
    const { kubeconfig } = settings;
    const next = noContext
      ? `${kubectlFor(kubeconfig ? { kubeconfig } : {})} config get-contexts`
      : `${kubectl} config view --minify`;
    return [failed("kubeconfig", reasonOf(error), next), rest];
  }
  try {
    const version = await askVersion(apiServer, kubectl);
    if (version.status === "failed" && version.name === "server") return [version, rest];
    const who = await askWho(apiServer);
    const found =
      config === undefined
        ? [skipped("resources", "resources: no readable configuration is given (--config bridge.yaml)")]
        : await checkResources({ apiServer, config, kubernetes: settings, kubectl });
    return [version, ...who, ...found];
  } finally {
    await apiServer.close();
  }
}

async function askVersion(apiServer: ApiServer, kubectl: string): Promise<Finding> {
  const where = `${apiServer.url}${apiServer.context ? ` (context ${apiServer.context})` : ""}`;
  try {
    const asked = apiServer.json("/version", { signal: AbortSignal.timeout(CHECK_MS_MAX) });
    const { major, minor, gitVersion } = Version.parse(await asked);
    return versionFinding(
      `${Number.parseInt(major, 10)}.${Number.parseInt(minor, 10)}`,
      gitVersion,
      where,
      apiServer.context,
    );
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 401)
      return failed("server", `${where} does not accept the credentials`, `renew them, then: ${kubectl} auth whoami`);
    return failed("server", `no API server at ${where}: ${reasonOf(error)}`, `${kubectl} cluster-info`);
  }
}

/** How the version stands to those that are tested. Exported for its test: it runs one. */
export function versionFinding(version: string, gitVersion: string, where: string, context: string): Finding {
  const found = `Kubernetes ${gitVersion.replace(/^v/, "")} at ${where}`;
  if (TESTED.includes(version)) return passed("version", found);
  if (!isAtLeast(version, USABLE_MIN))
    return failed("version", `${found} is too old`, `upgrade to ${SUPPORTED_MIN} or newer`);
  const how = isAtLeast(version, SUPPORTED_MIN) ? "untested" : `untested, and older than ${SUPPORTED_MIN}`;
  return warning(
    "version",
    `${found}: ${how} (tested: ${TESTED.join(", ")})`,
    `cr-reactor demo --context ${context || "<name>"}`,
  );
}

/** Who the kubeconfig signs in, and whether the clocks agree. An API server that does not tell is passed over. */
async function askWho(apiServer: ApiServer): Promise<readonly Finding[]> {
  try {
    const asked = apiServer.json("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      method: "POST",
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
      signal: AbortSignal.timeout(CHECK_MS_MAX),
    });
    const askedMs = Date.now();
    const { metadata, status } = Review.parse(await asked);
    const { username } = status.userInfo;
    const who = username === "" ? [] : [passed("sign-in", `signed in as ${username}`)];
    return [...who, ...clockFindings(metadata.creationTimestamp, askedMs, Date.now())];
  } catch {
    return [skipped("sign-in", "who is signed in, and the clocks: the API server does not tell")];
  }
}

/** The API server's second must overlap the time in which it was asked. Exported for its test. */
export function clockFindings(
  serverTime: string | null | undefined,
  askedMs: number,
  answeredMs: number,
): readonly Finding[] {
  const serverMs = Date.parse(serverTime ?? "");
  if (Number.isNaN(serverMs)) return [];
  const ahead = askedMs - (serverMs + 1_000);
  const behind = serverMs - answeredMs;
  const seconds = Math.round(Math.max(ahead, behind) / 1_000);
  if (seconds <= SKEW_SECONDS_MAX) return [passed("clock", "the clocks of this machine and the API server agree")];
  const how = ahead > behind ? "ahead of" : "behind";
  return [
    warning(
      "clock",
      `this machine's clock is ${seconds} s ${how} the API server's`,
      "sudo timedatectl set-ntp true, on the one that is wrong",
    ),
  ];
}

/** The command as it must be typed to mean the same cluster. */
export function kubectlFor({ kubeconfig, context }: KubernetesSettings): string {
  return ["kubectl", kubeconfig && `--kubeconfig ${kubeconfig}`, context && `--context ${context}`]
    .filter(Boolean)
    .join(" ");
}
