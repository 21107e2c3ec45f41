import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { presetPhase } from "../../../bridge/event/phase-preset.ts";

describe("a kind that many run has its phase", () => {
  const rows = [
    { name: "Argo CD applications", group: "argoproj.io", kind: "Application", expected: "status.health.status" },
    { name: "Argo Workflows", group: "argoproj.io", kind: "Workflow", expected: "status.phase" },
    { name: "Argo Rollouts", group: "argoproj.io", kind: "Rollout", expected: "status.phase" },
    { name: "cert-manager certificates", group: "cert-manager.io", kind: "Certificate", expected: "condition:Ready" },
    { name: "ACME orders", group: "acme.cert-manager.io", kind: "Order", expected: "status.state" },
    { name: "Crossplane's managed resources", group: "s3.aws.upbound.io", kind: "Bucket", expected: "condition:Ready" },
    {
      name: "Flux kustomizations",
      group: "kustomize.toolkit.fluxcd.io",
      kind: "Kustomization",
      expected: "condition:Ready",
    },
    { name: "CloudNativePG clusters", group: "postgresql.cnpg.io", kind: "Cluster", expected: "status.phase" },
    { name: "Knative services", group: "serving.knative.dev", kind: "Service", expected: "condition:Ready" },
    { name: "Tekton's runs", group: "tekton.dev", kind: "PipelineRun", expected: "condition:Succeeded" },
    { name: "Pods", group: "", kind: "Pod", expected: "status.phase" },
    { name: "any other kind", group: "demo.example.com", kind: "Database", expected: "status.phase" },
    {
      name: "a group that only ends alike",
      group: "notcert-manager.io",
      kind: "Certificate",
      expected: "status.phase",
    },
  ];
  for (const { name, group, kind, expected } of rows)
    test(name, () => assert.equal(presetPhase(group, kind), expected));
});
