/**
 * Secrets that are captured: that a value changed is told, also when it changed while the bridge was down; what it is stands nowhere,
 * neither in what NATS stores nor in the bridge's own log.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createDataFolder } from "../kit/data-folder.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

const FIRST_KEY = "a first key, which is long enough";
const base64 = (text: string) => Buffer.from(text).toString("base64");
/** As written, and as the API server keeps it. */
const VALUES = ["hunter-one", "hunter-two", "hunter-three"].flatMap((text) => [text, base64(text)]);

test("a Secret's values are nowhere, and each change of one is told once, through restarts and a new key", async (t) => {
  const { client, kubeconfigPath } = await openEmbedded(t);
  const scene = await openBridgeScene(t, kubeconfigPath);
  if (scene === undefined) return;
  const { startBridge, told, events, nats } = scene;
  const folder = createDataFolder("redaction");
  t.after(() => folder.remove());
  const [keyFile, firstKeyFile] = [join(folder.path, "key"), join(folder.path, "first-key")];
  writeFileSync(firstKeyFile, FIRST_KEY);
  const logs: string[] = [];
  const run = async (key: string, whatIsTold: () => Promise<void>) => {
    writeFileSync(keyFile, key);
    const resources = [{ apiVersion: "v1", kind: "Secret", namespaces: ["default"] }];
    const previousRedactionKeys = logs.length < 2 ? [] : [{ file: firstKeyFile }];
    const bridge = startBridge({ resources, redactionKey: { file: keyFile }, previousRedactionKeys });
    await bridge.live(1);
    await whatIsTold();
    await bridge.stop();
    logs.push(JSON.stringify(bridge.lines));
  };
  const path = "/api/v1/namespaces/default/secrets";
  const change = (text: string) => client.patch(`${path}/login`, { data: { password: base64(text) } });
  await client.create(path, {
    metadata: { name: "login", annotations: { "kubectl.kubernetes.io/last-applied-configuration": "hunter-one" } },
    data: { password: base64("hunter-one"), user: base64("admin") },
  });
  await run(FIRST_KEY, () => told("default/login existing"));
  await change("hunter-two");
  await run(FIRST_KEY, () => until(async () => (await events()).length === 2));
  await run("another key, which is as long", async () => {
    await change("hunter-three");
    await until(async () => (await events()).length === 3);
  });
  assert.deepEqual(await events(), [
    "default/login existing",
    "default/login updated replace /data/password",
    "default/login updated replace /data/password",
  ]);
  await nats.kill("SIGTERM");
  const stored = globSync("**/*", { cwd: nats.storeDir, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
  for (const text of [...stored, ...logs]) for (const value of VALUES) assert.ok(!text.includes(value), value);
});
