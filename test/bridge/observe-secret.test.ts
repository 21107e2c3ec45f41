/** What the observer tells of Secrets: that they changed, and nothing of what is in them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { observedResource } from "../../bridge/observe.ts";
import { openScene, settings } from "./observing.ts";

const secrets = { apiVersion: "v1", kind: "Secret", plural: "secrets", namespaced: true };

describe("a Secret", () => {
  const SECRETS = "/api/v1/namespaces/prod/secrets";
  const secret = (password: string, annotations: Record<string, string> = {}) => ({
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: { name: "db", namespace: "prod", labels: { app: "db" }, annotations },
    data: { password: base64(password), user: base64("admin") },
  });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

  test("is told to have changed, by its keys, and no value gets out", async (t) => {
    const { client, observe } = await openScene(t);
    const path = `${SECRETS}/db`;
    await client.create(
      SECRETS,
      secret("hunter2", { note: "mine", [LAST_APPLIED]: JSON.stringify(secret("hunter2")) }),
    );
    const resource = observedResource(secrets, settings);
    const { listed, tells, told, changes } = await observe({ resource, existing: true });
    await listed(1);
    await client.patch(path, { data: { password: base64("hunter3") } });
    await client.apply(path, { ...secret("hunter3"), metadata: { name: "db" } }, "somebody-else");
    await client.patch(path, { metadata: { annotations: { [LAST_APPLIED]: null } } });
    await client.delete(path);
    await tells("deleted db");
    assert.deepEqual(told(), [
      "existing db",
      "updated db replace /data/password",
      "updated db remove /metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
      "deleted db",
    ]);
    const text = JSON.stringify(changes);
    for (const value of ["hunter", base64("hunter2"), base64("hunter3"), base64("admin")])
      assert.ok(!text.includes(value), `${value} got out`);
    assert.match(text, /"app":"db"/);
  });

  test("gets other marks in each process, so that nobody can look a value up", async (t) => {
    const { client, observe } = await openScene(t);
    await client.create(SECRETS, secret("hunter2"));
    const marks = async () => {
      const { listed, changes } = await observe({ resource: observedResource(secrets, settings), existing: true });
      await listed(1);
      return changes[0]?.data.object["data"];
    };
    const [one, other] = [await marks(), await marks()];
    assert.match(JSON.stringify(one), /^\{"password":"\(redacted [0-9a-f]{4}:[0-9a-f]{16}\)"/);
    assert.notDeepEqual(one, other);
  });
});
