/**
 * Restores the last spec under which an object was healthy, found in the object's own history in the log. Only while the spec that failed is
 * still the object's, and nobody else's to keep: where a GitOps tool keeps the object, where a newer spec is there, where the object has
 * recovered, and where the same spec was rolled back before, it does nothing and says so. The write is conditional on the resourceVersion
 * that was judged.
 */
import { z } from "zod";
import { defineFunction, type FunctionContext, type Json, type KubeObject, opOf, PermanentError, valueAt } from "#kit";
import { gitOpsSource, isGitOpsManager } from "./actions/gitops-source.ts";
import {
  Healthy,
  type HealthySpec,
  isHealthy,
  lastHealthySpec,
  patchedPaths,
  restoringPatch,
  specHash,
} from "./actions/kube/healthy-spec.ts";
import {
  createKubeClients,
  isOwnChange,
  type KubeClient,
  KubeSettings,
  placeOf,
  titleOf,
} from "./actions/kube/kube-client.ts";

/** The specs that were rolled back, by their hashes, the newest last. */
const ROLLED_BACK = "cr-reactor.dev/rolled-back";
/** An object that fails under more is not helped by one more. */
const ROLLED_BACK_MAX = 10;
/** Paths that the note names. */
const PATHS_MAX = 10;

const Config = z.strictObject({
  /** When the object is healthy. */
  healthy: Healthy,
  /** Whether it is only said what would be done; the API server checks it as if it were. */
  dryRun: z.boolean().default(false),
  kubernetes: KubeSettings,
});
type Config = z.output<typeof Config>;

/** The function with its connections to API servers. */
function createRollback() {
  const clients = createKubeClients();
  return defineFunction({
    name: "rollback",
    description: "Restores the last spec under which the object was healthy.",
    config: Config,
    rights: ({ kubernetes }, { apiVersion, kind }) => [{ apiVersion, kind, verbs: ["get", "patch"], kubernetes }],
    async run(context) {
      const { event, object, config } = context;
      const failed = object["spec"] as Json | undefined;
      if (isOwnChange(context)) return "left alone: a function made this change";
      if (opOf(event) === "deleted" || event.terminating) return "left alone: the object is being deleted";
      if (isHealthy(object, event.phase, config.healthy)) return "left alone: the object is healthy";
      if (failed === undefined) throw new PermanentError(`${titleOf(event)} has no spec to restore`);
      return await rollBack(failed, clients(config.kubernetes, context), context);
    },
  });
}

export default createRollback();

async function rollBack(failed: Json, client: KubeClient, context: FunctionContext<Config>): Promise<string> {
  const { event, config } = context;
  const title = titleOf(event);
  const place = placeOf(event);
  const live = await client.get(place);
  if (live === undefined) return `left alone: ${title} is gone`;
  const why = movedOn(live, context);
  if (why !== undefined) return `left alone: ${why}`;
  refuseKept(live, title);
  const rolledBack = (live.metadata.annotations?.[ROLLED_BACK] ?? "").split(" ").filter(Boolean);
  const failedHash = specHash(failed);
  if (rolledBack.includes(failedHash))
    throw new PermanentError(
      `${title} fails again under a spec that was rolled back before: find out why it came back`,
    );
  const found = await findHealthy(context, [...rolledBack, failedHash]);
  const spec = restoringPatch(failed, found.spec);
  const { uid, resourceVersion } = live.metadata;
  const annotations = { [ROLLED_BACK]: [...rolledBack, failedHash].slice(-ROLLED_BACK_MAX).join(" ") };
  const patch = { metadata: { uid, resourceVersion, annotations }, spec };
  if ((await client.patch(place, patch, { dryRun: config.dryRun })) !== "patched")
    throw new Error(`${title} changed while it was looked at: looking again`);
  const paths = patchedPaths(spec);
  const fields = [...paths.slice(0, PATHS_MAX), ...(paths.length > PATHS_MAX ? ["…"] : [])].join(", ");
  const done = config.dryRun ? "would be rolled back" : "rolled back";
  return `${title} ${done} to the spec of ${found.time} (event ${found.eventId}): ${fields}`;
}

/** Why what failed is not the object's state any more. Without a generation only the very state that failed will do. */
function movedOn(live: KubeObject, { event, object, config }: FunctionContext<Config>): string | undefined {
  const [now, then] = [live.metadata, object.metadata];
  if (now.uid !== then.uid) return `${titleOf(event)} is another object of that name now`;
  if (now.deletionTimestamp) return "the object is being deleted";
  const version = then["generation"] === undefined ? "resourceVersion" : "generation";
  if (now[version] !== then[version]) return `${titleOf(event)} has a newer spec`;
  // A phase that stands elsewhere is not known here; the spec is the one that failed.
  const phase = valueAt(live, ["status", "phase"]);
  const hasRecovered = isHealthy(live, typeof phase === "string" ? phase : undefined, config.healthy);
  return hasRecovered ? `${titleOf(event)} has recovered` : undefined;
}

/** What a GitOps tool keeps is rolled back there: here it would be undone, or the tool would be. */
function refuseKept(live: KubeObject, title: string): void {
  const source = gitOpsSource(live);
  const owner = (live.metadata.managedFields ?? []).find(
    ({ manager = "", fieldsV1 = {} }) => isGitOpsManager(manager) && "f:spec" in fieldsV1,
  );
  if (source === undefined && owner === undefined) return;
  const keeper = source === undefined ? owner?.manager : `${source.tool} ${source.from}`;
  throw new PermanentError(`${title} is not rolled back, because ${keeper} keeps its spec: revert the change there`);
}

async function findHealthy(
  { event, history, config }: FunctionContext<Config>,
  badHashes: readonly string[],
): Promise<HealthySpec> {
  if (history === undefined)
    throw new PermanentError(
      "there is no log to find a healthy spec in: use cr-reactor run, or name the NATS in the file of cr-reactor serve",
    );
  const found = await lastHealthySpec(history(), config.healthy, badHashes);
  if (found !== undefined) return found;
  throw new PermanentError(`the log has no other spec under which ${titleOf(event)} was healthy: repair it by hand`);
}
