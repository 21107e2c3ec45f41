/**
 * `cr-reactor rbac`: the Roles that the bridge and the functions need in this cluster today, as YAML for `kubectl apply -f -`. It reads the API
 * server and writes nothing; whose permissions it is asked with makes no difference.
 */
import { type KubernetesSettings, parseYamlConfig } from "#contract";
import { BridgeConfig } from "../bridge/config.ts";
import type { ApiServer } from "../bridge/kube/api-server.ts";
import { bindAll } from "../functions/main.ts";
import { bridgeRoles, gapsOf } from "./bridge-role.ts";
import { clusterError, openCluster } from "./cluster.ts";
import { kubectlFor } from "./doctor/cluster.ts";
import { planCapture } from "./doctor/plan.ts";
import { readTextFile } from "./file.ts";
import { functionRoles } from "./function-role.ts";
import { failure, report, stopSignal } from "./terminal.ts";

/** The options of the command; one of the files at least. */
export interface RbacOptions {
  readonly config?: string;
  readonly subscriptions?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
}

interface Printed {
  readonly yaml: string;
  readonly gaps: readonly string[];
  readonly isComplete: boolean;
}

const EXIT_INCOMPLETE = 1;
const EXIT_IMPOSSIBLE = 2;
const EXIT_STOPPED = 130;

/** Prints them, and ends the process: 0 when they are complete, 1 when a kind is not served so that its rule is missing, 2 when it cannot be told. */
export async function rbacCommand(options: RbacOptions): Promise<void> {
  stopSignal().addEventListener("abort", () => process.exit(EXIT_STOPPED)); // nothing is under way that would have to end
  const parts = await rolesFor(options).catch((error: unknown) => failure(error));
  for (const gap of parts?.flatMap(({ gaps }) => gaps) ?? []) report(gap);
  const isComplete = parts?.every((part) => part.isComplete);
  const code = parts === undefined ? EXIT_IMPOSSIBLE : isComplete ? 0 : EXIT_INCOMPLETE;
  // A server that does not answer would keep the process for its own timeouts.
  process.stdout.write(parts?.map(({ yaml }) => yaml).join("---\n") ?? "", () => process.exit(code));
}

async function rolesFor({ config, subscriptions, ...cluster }: RbacOptions): Promise<readonly Printed[]> {
  const bridge = config === undefined ? undefined : parseYamlConfig(BridgeConfig, await readTextFile(config), config);
  const bindings =
    subscriptions &&
    (await bindAll({ subscriptions: { text: await readTextFile(subscriptions), fileName: subscriptions } }));
  const settings = { ...bridge?.kubernetes, ...cluster };
  let opened: Promise<ApiServer> | undefined;
  const connect = () => {
    opened ??= openCluster(settings);
    return opened;
  };
  try {
    return [
      ...(bridge ? [await ofBridge(await connect(), bridge, settings)] : []),
      ...(bindings ? [await functionRoles(connect, bindings)] : []),
    ];
  } catch (error) {
    throw opened === undefined ? error : clusterError(await opened, error);
  } finally {
    await (await opened)?.close();
  }
}

async function ofBridge(apiServer: ApiServer, config: BridgeConfig, kubernetes: KubernetesSettings): Promise<Printed> {
  const plan = await planCapture({ apiServer, config, kubernetes, kubectl: kubectlFor(kubernetes) });
  return { yaml: bridgeRoles(plan, config), gaps: gapsOf(plan, config), isComplete: plan.unserved.length === 0 };
}
