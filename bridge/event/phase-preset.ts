/**
 * Where the phase stands for the kinds that people run, so that nobody has to configure it. What is not here has it in `status.phase`,
 * or none; the configuration's `phase` comes first.
 * Source: the kinds' own API references: what their `kubectl get` shows as status, and what their controllers wait for.
 */

/** `group` may begin with `*.`: the group behind it, or any group that ends in it. Without a kind: all of the group. */
interface PhasePreset {
  readonly group: string;
  readonly kinds?: readonly string[];
  readonly phase: string;
}

const DEFAULT_PHASE = "status.phase";
const READY = "condition:Ready";

/** The first that fits counts. */
const PRESETS: readonly PhasePreset[] = [
  { group: "argoproj.io", kinds: ["Application"], phase: "status.health.status" },
  { group: "argoproj.io", kinds: ["ApplicationSet"], phase: "condition:ResourcesUpToDate" },
  { group: "argoproj.io", kinds: ["EventBus", "EventSource", "Sensor"], phase: "condition:Deployed" },
  { group: "acme.cert-manager.io", phase: "status.state" },
  { group: "*.cert-manager.io", phase: READY },
  { group: "*.toolkit.fluxcd.io", phase: READY },
  { group: "*.crossplane.io", phase: READY },
  { group: "*.upbound.io", phase: READY },
  { group: "*.knative.dev", phase: READY },
  { group: "keda.sh", phase: READY },
  { group: "tekton.dev", kinds: ["PipelineRun", "TaskRun", "CustomRun"], phase: "condition:Succeeded" },
  {
    group: "monitoring.coreos.com",
    kinds: ["Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler"],
    phase: "condition:Available",
  },
  { group: "gateway.networking.k8s.io", kinds: ["Gateway", "GatewayClass"], phase: "condition:Accepted" },
  { group: "cluster.x-k8s.io", kinds: ["Cluster", "Machine"], phase: DEFAULT_PHASE },
  { group: "apps", kinds: ["Deployment"], phase: "condition:Available" },
  { group: "batch", kinds: ["Job"], phase: "condition:Complete" },
  { group: "apiextensions.k8s.io", phase: "condition:Established" },
  { group: "apiregistration.k8s.io", phase: "condition:Available" },
  { group: "", kinds: ["Node"], phase: READY },
];

/** The phase's place for a kind, as the configuration would name it: a path, or `condition:<Type>`. */
export function presetPhase(group: string, kind: string): string {
  const preset = PRESETS.find((each) => isOf(each.group, group) && (each.kinds?.includes(kind) ?? true));
  return preset?.phase ?? DEFAULT_PHASE;
}

function isOf(pattern: string, group: string): boolean {
  if (!pattern.startsWith("*.")) return pattern === group;
  return group === pattern.slice(2) || group.endsWith(pattern.slice(1));
}
