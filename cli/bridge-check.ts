/**
 * `cr-reactor bridge --check`: what a bridge with this configuration would watch, how many objects, which permission is missing, and the
 * exact Roles that it needs. It reads the API server alone and writes nothing; NATS is `doctor`'s. Permissions are those of whoever runs it.
 */
import { parseYamlConfig } from "#contract";
import { BridgeConfig } from "../bridge/config.ts";
import type { ApiServer } from "../bridge/kube/api-server.ts";
import { previewWatch } from "../bridge/preview.ts";
import { renderCheck } from "./bridge-check-text.ts";
import { bridgeRoles, gapsOf } from "./bridge-role.ts";
import { clusterError, openCluster } from "./cluster.ts";
import { kubectlFor } from "./doctor/cluster.ts";
import { type Plan, type PlannedLease, type PlannedWatch, planCapture } from "./doctor/plan.ts";
import { readTextFile } from "./file.ts";
import { failure, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface BridgeCheckOptions {
  readonly config: string;
  readonly json?: true;
}

const EXIT_INCOMPLETE = 1;
const EXIT_IMPOSSIBLE = 2;

/**
 * Prints what it found, and ends the process: 0 when everything can be watched, 1 when something cannot, 2 when it cannot be checked.
 */
export async function bridgeCheckCommand(options: BridgeCheckOptions): Promise<void> {
  const signal = stopSignal();
  signal.addEventListener("abort", () => process.exit(130)); // nothing is under way that would have to end
  const { text, code } = await check(options).catch((error: unknown) => {
    failure(error);
    return { text: "", code: EXIT_IMPOSSIBLE };
  });
  // A server that does not answer would keep the process for its own timeouts.
  process.stdout.write(text, () => process.exit(code));
}

async function check(options: BridgeCheckOptions): Promise<{ readonly text: string; readonly code: number }> {
  const config = parseYamlConfig(BridgeConfig, await readTextFile(options.config), options.config);
  const { kubernetes } = config;
  const apiServer = await openCluster(kubernetes);
  try {
    const plan = await planCapture({ apiServer, config, kubernetes, kubectl: kubectlFor(kubernetes) }).catch(
      (error) => {
        throw clusterError(apiServer, error);
      },
    );
    const rbac = bridgeRoles(plan, config);
    const ok = isWatchable(plan);
    const text = options.json
      ? `${JSON.stringify(toJson(plan, config, apiServer, rbac), null, 2)}\n`
      : `${renderCheck({ plan, config, where: whereOf(apiServer), ok })}\n${rbac}`;
    return { text, code: ok ? 0 : EXIT_INCOMPLETE };
  } finally {
    await apiServer.close();
  }
}

function whereOf({ url, context }: ApiServer): string {
  return context === "" ? url : `${url} (context ${context})`;
}

/** Whether a bridge would watch all of it. */
function isWatchable({ watches, unserved, lease }: Plan): boolean {
  return unserved.length === 0 && watches.every(isWatchableOne) && mayLead(lease);
}

function isWatchableOne({ denied, problem }: PlannedWatch): boolean {
  return denied.length === 0 && problem === undefined;
}

function mayLead(lease: PlannedLease): boolean {
  return lease.type !== "unnamed" && (lease.type !== "here" || lease.denied.length === 0);
}

function toJson(plan: Plan, config: BridgeConfig, apiServer: ApiServer, rbac: string) {
  const { watches, unserved, lease, readsDefinitions, notes } = plan;
  return {
    ok: isWatchable(plan),
    cluster: config.cluster,
    apiServer: apiServer.url,
    watches: watches.map(({ wanted, denied, objects, problem }) => ({
      apiVersion: wanted.resource.apiVersion,
      kind: wanted.resource.kind,
      namespaced: wanted.resource.namespaced,
      namespace: wanted.namespace ?? null,
      objects: objects ?? null,
      ...previewWatch(config, wanted),
      missingVerbs: denied,
      ...(problem && { problem: problem.detail, next: problem.next }),
    })),
    notServed: unserved.map(({ entry: { apiVersion, kind }, finding: { detail, next } }) => ({
      apiVersion,
      kind,
      problem: detail,
      next,
    })),
    lease,
    readsDefinitions,
    notes: [...notes.map(({ detail }) => detail), ...gapsOf(plan, config)],
    rbac,
  };
}
