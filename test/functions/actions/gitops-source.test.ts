import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changeReport } from "../../../functions/actions/change-report.ts";
import { gitOpsInWords, gitOpsSource, isGitOpsManager } from "../../../functions/actions/gitops-source.ts";
import { slackMessage } from "../../../functions/actions/slack/message.ts";
import { type Sample, sampleEvent } from "./sample-event.ts";

const tracked = { annotations: { "argocd.argoproj.io/tracking-id": "shop:demo.example.com/Database:prod/orders" } };
const scaled = (metadata: object, manager: string, more: Partial<Sample> = {}) =>
  sampleEvent({
    before: { metadata, spec: { replicas: 3 } },
    after: { metadata, spec: { replicas: 5 } },
    manager,
    ...more,
  });

describe("the GitOps tool of an object", () => {
  const objects = [
    { name: "Argo CD, by its tracking annotation", metadata: tracked, words: "Argo CD application shop" },
    {
      name: "Argo CD in a namespace of the application's own",
      metadata: {
        annotations: { "argocd.argoproj.io/tracking-id": "teams_shop:demo.example.com/Database:prod/orders" },
      },
      words: "Argo CD application teams_shop",
    },
    {
      name: "nobody, where the annotation was copied from another object",
      metadata: { annotations: { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/orders" } },
    },
    {
      name: "nobody, where the annotation is no tracking id",
      metadata: { annotations: { "argocd.argoproj.io/tracking-id": "::" } },
    },
    {
      name: "Flux' Kustomization",
      metadata: {
        labels: { "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux" },
      },
      words: "Flux Kustomization flux/apps",
    },
    {
      name: "Flux' HelmRelease, with the chart",
      metadata: {
        labels: {
          "helm.toolkit.fluxcd.io/name": "db",
          "helm.toolkit.fluxcd.io/namespace": "flux",
          "helm.sh/chart": "db-1.2.3",
        },
      },
      words: "Flux HelmRelease flux/db, revision db-1.2.3",
    },
    {
      name: "a Helm release",
      metadata: { annotations: { "meta.helm.sh/release-name": "db", "meta.helm.sh/release-namespace": "prod" } },
      words: "Helm release prod/db",
    },
    { name: "nobody", metadata: { labels: { "app.kubernetes.io/instance": "shop" } } },
  ];
  for (const { name, metadata, words } of objects) {
    test(`is ${name}`, () => {
      assert.equal(gitOpsInWords(scaled(metadata, "argocd-controller")), words);
      assert.equal(gitOpsInWords(scaled(metadata, "kubectl-edit")), words && `drift from ${words}`);
    });
  }

  test("tells what Argo CD and Flux have applied, where the object is their own", () => {
    const metadata = { name: "shop", namespace: "argocd", uid: "u", resourceVersion: "1" };
    const application = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata,
      status: { sync: { revision: "3f2a" } },
    };
    assert.deepEqual(gitOpsSource(application), { tool: "Argo CD", from: "application shop", revision: "3f2a" });
    const status = { lastAppliedRevision: "main@sha1:3f2a" };
    const flux = { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization", metadata, status };
    assert.deepEqual(gitOpsSource(flux), {
      tool: "Flux",
      from: "Kustomization argocd/shop",
      revision: "main@sha1:3f2a",
    });
  });

  test("a status that the operator writes is no drift", () => {
    const sample = {
      before: { metadata: tracked, status: { phase: "A" } },
      after: { metadata: tracked, status: { phase: "B" } },
    };
    assert.equal(gitOpsInWords(sampleEvent({ ...sample, manager: "operator" })), undefined);
  });

  test("is named in messages, escaped as everything that an object says", () => {
    const metadata = {
      annotations: { "argocd.argoproj.io/tracking-id": "<!here>:demo.example.com/Database:prod/orders" },
    };
    const event = scaled(metadata, "kubectl-edit");
    const { facts } = changeReport(event, undefined, 5);
    assert.deepEqual(Object.fromEntries(facts)["GitOps"], "drift from Argo CD application <!here>");
    const message = JSON.stringify(slackMessage(event, { fieldsMax: 5 } as Parameters<typeof slackMessage>[1]));
    assert.match(message, /by `kubectl-edit` · drift from Argo CD application &lt;!here&gt; · cluster/);
  });

  test("its field managers are known by their names' beginnings", () => {
    const known = [
      "argocd-controller",
      "argocd-application-controller",
      "kustomize-controller",
      "helm-controller",
      "helm",
      "flux",
      "argocd",
    ];
    assert.deepEqual(
      known.filter((manager) => !isGitOpsManager(manager)),
      [],
    );
    assert.deepEqual(["helmet", "kubectl-edit", "fluxion", "", "my-argocd"].filter(isGitOpsManager), []);
  });
});
