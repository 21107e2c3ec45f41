/**
 * The manifests, as kustomize and Helm make them: what they say about each other, the configuration and the code fits, and nothing changes
 * unnoticed. What an API server says about them is in manifests/api-server.test.ts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parse, stringify } from "yaml";
import { BridgeConfig } from "../bridge/config.ts";
import { parseYamlConfig } from "../bridge/yaml-config.ts";
import { deliveryLimits } from "../functions/kit/delivery/delivery-limits.ts";
import { Filter, Selection } from "../functions/kit/filter/filter.ts";
import { compileFilter } from "../functions/kit/filter/match.ts";
import { consumerName } from "../functions/kit/ownership/partition.ts";
import { parseSubscriptions } from "../functions/kit/subscription.ts";
import { bindAll } from "../functions/main.ts";
import { updated } from "./functions/kit/event-factory.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import type { KubeObject } from "./kit/kube-client.ts";
import { needHelm, needKubectl } from "./kit/shared-kube.ts";
import {
  assertGolden,
  build,
  configOf,
  find,
  MANIFESTS,
  podsOf,
  RENDERINGS,
  type Rendering,
  render,
  renderChart,
  titleOf,
  withoutHashes,
} from "./manifests/rendering.ts";

const ROOT = join(import.meta.dirname, "..");
/** What a bridge that is told to stop takes: bridge/capture/watch.ts. */
const BRIDGE_DRAIN_SECONDS = 10;
const rendering = (name: string): Rendering => RENDERINGS.find((each) => each.name === name) ?? assert.fail(name);
const installations = RENDERINGS.filter(({ name }) => name !== "gitops");

const imageOf = ({ image }: { readonly image: string }) => image;
/** Everything but ConfigMaps, which Helm calls differently. */
const withoutConfigs = (objects: readonly KubeObject[]) =>
  withoutHashes(
    objects.filter(({ kind }) => kind !== "ConfigMap"),
    ["bridge-config", "functions-config", "nats"],
  );

/** Of each installation. */
async function eachInstallation(t: TestContext, look: (objects: KubeObject[], name: string) => unknown): Promise<void> {
  for (const each of installations) {
    const objects = await render(t, each);
    if (objects === undefined) return;
    await look(objects, each.name);
  }
}

describe("the manifests", () => {
  test("have the NATS users that cr-reactor nats-users prints", () => {
    const overlays = join(MANIFESTS, "overlays");
    const leaf = "multi-cluster/leaf/bridge.yaml";
    for (const { file, bridges } of [
      { file: "production/users.conf", bridges: ["production/bridge.yaml"] },
      { file: "multi-cluster/hub/users.conf", bridges: ["production/bridge.yaml", leaf] },
    ]) {
      const args = ["nats-users", "--config", ...bridges, "--subscriptions", "production/subscriptions.yaml"];
      const cli = [join(ROOT, "cli/main.ts"), ...args];
      const { stdout } = spawnSync(process.execPath, cli, { cwd: overlays, encoding: "utf8" });
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(join(overlays, file), stdout);
      assert.equal(readFileSync(join(overlays, file), "utf8"), stdout);
    }
  });

  for (const each of RENDERINGS) {
    test(`of ${each.name} are rendered as before`, async (t) => {
      const objects = await render(t, each);
      if (objects !== undefined) assertGolden(each.name, objects);
    });
  }

  test("have subscriptions that the functions accept, with the secrets they name", (t) =>
    eachInstallation(t, async (objects) => {
      for (const { title, template } of podsOf(objects)) {
        const [container] = template["spec"].containers;
        if (!["run", "serve"].includes(container.args?.[0])) continue;
        const config = template["spec"].volumes.find(({ name }: { name: string }) => name === "config").configMap.name;
        const text = find(objects, `ConfigMap ${config}`)["data"]["subscriptions.yaml"] as string;
        const bindings = await bindAll({
          subscriptions: { text, fileName: join(ROOT, "manifests/subscriptions.yaml") },
        });
        const secrets = bindings.flatMap(({ subscription }) =>
          [...JSON.stringify(subscription.config).matchAll(/"env":"(\w+)"/g)].map(([, name]) => name),
        );
        const given = (container.env ?? []).map(({ name }: { name: string }) => name);
        const wanted = given.filter((name: string) => !name.startsWith("NATS_"));
        assert.deepEqual(wanted, [...new Set(secrets)], title);
      }
    }));

  test("ask each process for its health where it answers", (t) =>
    eachInstallation(t, (objects, name) => {
      const ports = {
        bridge: () =>
          parseYamlConfig(BridgeConfig, configOf(objects, "bridge-config", "bridge.yaml"), name).health.port,
        run: (config: string) => parseSubscriptions(config, name).health?.port,
      };
      for (const { title, template } of podsOf(objects)) {
        const [container] = template["spec"].containers;
        const command = container.args?.[0];
        if (command !== "bridge" && command !== "run") continue;
        const config = template["spec"].volumes.find((each: { name: string }) => each.name === "config").configMap.name;
        const files = find(objects, `ConfigMap ${config}`)["data"];
        const port = command === "bridge" ? ports.bridge() : ports.run(files["subscriptions.yaml"]);
        assert.deepEqual(container.ports, [{ name: "health", containerPort: port }], title);
        const asked = ["startupProbe", "livenessProbe", "readinessProbe"].map((probe) => container[probe].httpGet);
        const expected = ["/livez", "/livez", "/readyz"].map((path) => ({ path, port: "health" }));
        assert.deepEqual(asked, expected, title);
      }
    }));

  test("give a process that is told to stop the time that it takes", (t) =>
    eachInstallation(t, (objects) => {
      const { drainMs, graceMs } = deliveryLimits(16);
      for (const { title, template } of podsOf(objects)) {
        const { containers, terminationGracePeriodSeconds: seconds } = template["spec"];
        const needed = { bridge: BRIDGE_DRAIN_SECONDS, run: (drainMs + graceMs) / 1_000 }[
          containers[0].args[0] as string
        ];
        if (needed !== undefined) assert.ok(seconds > needed + 5, `${title}: ${seconds} s`);
      }
    }));

  test("name only configuration that is there, and this version's image", (t) =>
    eachInstallation(t, (objects) => {
      const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
      const [, user] = /^USER (\d+):/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8")) ?? [];
      const titles = objects.map(titleOf);
      const pods = podsOf(objects);
      for (const { title, template } of pods) {
        const { containers, volumes = [], securityContext } = template["spec"];
        const [container] = containers;
        const images = container.image.startsWith("nats:")
          ? /^nats:2\.\d+\.\d+$/
          : new RegExp(`^cr-reactor:${version}$`);
        assert.match(container.image, images);
        if (container.image.startsWith("cr-reactor")) assert.equal(String(securityContext.runAsUser), user);
        const named = [
          ...volumes.flatMap((each: KubeObject) => each["configMap"]?.name ?? []),
          ...(container.envFrom ?? []).flatMap((each: KubeObject) => each["configMapRef"]?.name ?? []),
        ];
        for (const each of named) assert.ok(titles.includes(`ConfigMap ${each}`), `${title}: ${each}`);
      }
    }));

  test("have policies and budgets for Pods that are there", (t) =>
    eachInstallation(t, (objects, name) => {
      const pods = podsOf(objects);
      const selectors = objects.flatMap(({ kind, metadata, ...object }) => {
        const selector = { NetworkPolicy: object["spec"]?.podSelector, PodDisruptionBudget: object["spec"]?.selector }[
          kind as string
        ];
        return selector === undefined ? [] : [{ title: `${kind} ${metadata.name}`, selector }];
      });
      for (const { title, selector } of selectors) {
        const [expression] = selector.matchExpressions ?? [];
        const wanted: string[] = expression?.values ?? [selector.matchLabels["app.kubernetes.io/name"] ?? "bridge"];
        const there = pods.map(({ template }) => template.metadata?.labels?.["app.kubernetes.io/name"]);
        if (name === "base" || !title.includes("nats"))
          assert.ok(
            wanted.some((each) => there.includes(each)),
            `${name} ${title}`,
          );
      }
    }));

  test("let nothing talk to the API server but the bridge, and functions that are given a Role", (t) =>
    eachInstallation(t, (objects) => {
      const accounts = objects
        .flatMap((object) => (object["subjects"] ?? []).map(({ name }: { name: string }) => name))
        .filter((name) => !name.startsWith("argo-")); // Pods that Argo makes
      const policies = objects.filter(({ metadata }) => metadata.name.endsWith("-to-api-server"));
      const open = policies.map(({ spec }) => spec.podSelector.matchLabels["app.kubernetes.io/name"]);
      assert.deepEqual(open.toSorted(), [...new Set(accounts)].toSorted());
      for (const { title, template } of podsOf(objects)) {
        const { automountServiceAccountToken, serviceAccountName } = template["spec"];
        const isAccount = title.startsWith("Deployment ") && accounts.includes(serviceAccountName);
        assert.equal(automountServiceAccountToken, isAccount, title);
      }
    }));

  test("are installed as the README says: its paths are there, and its kustomization is rendered", async (t) => {
    const readme = readFileSync(join(MANIFESTS, "README.md"), "utf8");
    const paths = [...readme.matchAll(/(?:^|[ `])(manifests\/[\w./-]*\w)/gm)].map(([, path = ""]) => path);
    assert.ok(paths.length > 5);
    for (const path of paths) assert.ok(existsSync(join(ROOT, path)), path);
    const kubectl = await needKubectl(t);
    if (kubectl === undefined) return;
    const [, text = assert.fail("no kustomization")] = /```yaml\n(# clusters\/.*?)```/s.exec(readme) ?? [];
    const folder = createDataFolder("kustomization");
    t.after(() => folder.remove());
    cpSync(MANIFESTS, join(folder.path, "manifests"), { recursive: true });
    const own = join(folder.path, "clusters/production");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "kustomization.yaml"), text);
    const files = ["bridge.yaml", "subscriptions.yaml", "users.conf"].map((file) => `overlays/production/${file}`);
    for (const file of [...files, "base/bridge-access.yaml"]) cpSync(join(MANIFESTS, file), join(own, basename(file)));
    const objects = await build(kubectl, own);
    assert.match(
      find(objects, "Deployment bridge")["spec"].template.spec.containers[0].image,
      /^registry\.example\.com\//,
    );
    assert.ok(find(objects, "ScaledObject functions"));
  });

  test("send to Knative's functions what their own filters ask for", async (t) => {
    const objects = await render(t, rendering("knative"));
    if (objects === undefined) return;
    const rows = [
      { name: "becomes Failed", event: updated({ phase: "Running" }, { phase: "Failed" }), to: ["database-failed"] },
      {
        name: "is scaled",
        event: updated({ spec: { replicas: 1 } }, { spec: { replicas: 2 } }),
        to: ["database-changed"],
      },
      { name: "is labelled", event: updated({}, { labels: { a: "b" } }), to: [] },
      { name: "recovers", event: updated({ phase: "Failed" }, { phase: "Running" }), to: [] },
    ];
    const triggers = objects.filter(({ kind }) => kind === "Trigger");
    assert.equal(triggers.length, 2);
    for (const { name, event, to } of rows) {
      const passing = triggers.filter(({ spec }) => {
        const when = Filter.parse({ all: spec.filters });
        const selection = Selection.parse({ apiVersion: "demo.example.com/v1", kind: "Database", when });
        return compileFilter(selection).match(event.envelope).type === "matched";
      });
      assert.deepEqual(
        passing.map(({ metadata }) => metadata.name),
        to,
        name,
      );
    }
  });

  test("tell Slack the difference in words, by Argo's template", async (t) => {
    const objects = await render(t, rendering("argo-events"));
    const helm = objects && (await needHelm(t));
    if (objects === undefined || helm === undefined) return;
    const trigger = find(objects, "Sensor cr-reactor")["spec"].triggers[1].template;
    const template = trigger.slack.parameters[0].src.dataTemplate as string;
    // Argo's templates have the functions that Helm's have, except for toYaml and its like.
    const folder = createDataFolder("template");
    t.after(() => folder.remove());
    mkdirSync(join(folder.path, "templates"));
    writeFileSync(join(folder.path, "Chart.yaml"), "apiVersion: v2\nname: t\nversion: 0.0.1\n");
    writeFileSync(join(folder.path, "templates/t.yaml"), "text: {{ tpl .Values.template .Values | quote }}");
    const { envelope } = updated({ spec: { replicas: 1 } }, { spec: { replicas: 2 } });
    const values = {
      template: template.replaceAll(".Input", ".input"),
      input: { body: envelope },
      Template: { BasePath: "" },
    };
    writeFileSync(join(folder.path, "values.yaml"), stringify(values));
    const { stdout, stderr } = spawnSync(helm, ["template", "t", folder.path], { encoding: "utf8" });
    assert.equal(stderr, "");
    const { text } = parse(stdout) as { text: string };
    assert.match(text, /^\/apis\/demo\.example\.com\/v1\/\S+ was changed by \S+\nreplace \/spec\/replicas: 1 -> 2$/);
  });

  test("wake sleeping functions by a consumer for each partition of each subscription", async (t) => {
    const objects = await render(t, rendering("keda"));
    if (objects === undefined) return;
    const { subscriptions } = parseSubscriptions(configOf(objects, "functions-config", "subscriptions.yaml"), "s.yaml");
    const consumers = subscriptions.flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, index) => consumerName(name, { index, count })),
    );
    const { triggers, scaleTargetRef, maxReplicaCount } = find(objects, "ScaledObject functions")["spec"];
    const lags = triggers.filter(({ type }: { type: string }) => type === "nats-jetstream");
    assert.deepEqual(
      lags.map(({ metadata }: KubeObject) => [metadata["stream"], metadata["consumer"]]),
      [
        "CR_EVENTS",
        ...(/"(for|debounce|batch|throttle)":/.test(JSON.stringify(subscriptions)) ? ["CR_TIMERS"] : []),
      ].flatMap((stream) => consumers.map((consumer) => [stream, consumer])),
    );
    assert.equal(maxReplicaCount, Math.max(...subscriptions.map(({ partitions }) => partitions)));
    assert.equal(find(objects, `Deployment ${scaleTargetRef.name}`)["spec"].replicas, undefined);
    const account = lags[0].metadata.account as string;
    assert.match(configOf(objects, "nats-config", "users.conf"), new RegExp(`^ {2}${account} \\{$`, "m"));
  });

  test("take every image by its digest, named in one place", async (t) => {
    const kubectl = await needKubectl(t);
    if (kubectl === undefined) return;
    const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
    const folder = createDataFolder("digests");
    t.after(() => folder.remove());
    cpSync(MANIFESTS, join(folder.path, "manifests"), { recursive: true });
    const registry = "registry.example.com/";
    const images = ["cr-reactor", "nats"].map((name) => ({ name, newName: registry + name, digest }));
    const components = ["keda", "knative", "argo-events", "monitoring", "functions-access"];
    const kustomization = {
      ...{ apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization", images },
      resources: ["manifests/overlays/multi-cluster/hub"],
      components: components.map((name) => `manifests/components/${name}`),
    };
    writeFileSync(join(folder.path, "kustomization.yaml"), stringify(kustomization));
    const pods = podsOf(await build(kubectl, folder.path));
    const named = [...new Set(pods.flatMap(({ template }) => template["spec"].containers.map(imageOf)))];
    assert.deepEqual(named.toSorted(), [`${registry}cr-reactor@${digest}`, `${registry}nats@${digest}`]);
    const chart = await renderChart(t, `image.digest="${digest}"`, `image.repository="${registry}cr-reactor"`);
    const ofChart = podsOf(chart ?? []).flatMap(({ template }) => template["spec"].containers.map(imageOf));
    if (chart !== undefined) assert.deepEqual([...new Set(ofChart)], [`${registry}cr-reactor@${digest}`]);
  });

  test("of the Helm chart are those of base", async (t) => {
    const base = await render(t, rendering("base"));
    const chart = base && (await renderChart(t));
    if (base === undefined || chart === undefined) return;
    // Helm makes the namespace itself, and writes values without their comments.
    const expected = base.filter(({ kind }) => kind !== "Namespace");
    assert.deepEqual(withoutConfigs(chart), withoutConfigs(expected));
    const config = (objects: readonly KubeObject[]) => ({
      bridge: parseYamlConfig(BridgeConfig, configOf(objects, "bridge-config", "bridge.yaml"), "bridge.yaml"),
      functions: parseSubscriptions(configOf(objects, "functions-config", "subscriptions.yaml"), "subscriptions.yaml"),
      nats: configOf(objects, "nats", "NATS_URL"),
    });
    assert.deepEqual(config(chart), config(base));
  });

  test("of the Helm chart give functions the access that the component gives them", async (t) => {
    const component = await render(t, rendering("functions-access"));
    const role = component && find(component, "ClusterRole cr-reactor-functions");
    const config = component && parse(configOf(component, "functions-config", "subscriptions.yaml"));
    const values = [
      "functions.access.enabled=true",
      `functions.access.rules=${JSON.stringify(role?.["rules"])}`,
      `functions.config=${JSON.stringify(config)}`,
    ];
    const chart = component && (await renderChart(t, ...values));
    if (component === undefined || chart === undefined) return;
    const expected = component.filter(({ kind }) => kind !== "Namespace");
    assert.deepEqual(withoutConfigs(chart), withoutConfigs(expected));
  });

  test("of the Helm chart start new Pods when a setting changes, and only those that it is about", async (t) => {
    const before = await renderChart(t);
    const after = before && (await renderChart(t, 'bridge.config.cluster="other"'));
    if (before === undefined || after === undefined) return;
    const template = (objects: readonly KubeObject[], title: string) => find(objects, title)["spec"].template;
    assert.notDeepEqual(template(before, "Deployment bridge"), template(after, "Deployment bridge"));
    assert.deepEqual(template(before, "Deployment functions"), template(after, "Deployment functions"));
    const version = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
    const chart = readFileSync(join(ROOT, "manifests/chart/Chart.yaml"), "utf8");
    assert.match(chart, new RegExp(`^version: ${version}\\nappVersion: ${version}$`, "m"));
  });
});
