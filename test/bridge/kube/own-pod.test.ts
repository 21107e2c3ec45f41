import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownPod } from "../../../bridge/kube/own-pod.ts";

const POD = { POD_NAME: "bridge-0", POD_NAMESPACE: "cr-reactor", POD_UID: "1111" };
const NO_FILE = "/nowhere/namespace";

describe("the Pod that a process runs in", () => {
  for (const { name, environment, settings = {}, file = NO_FILE, expected } of [
    {
      name: "is what the downward API says",
      environment: POD,
      expected: { namespace: "cr-reactor", name: "bridge-0", uid: "1111" },
    },
    {
      name: "may lack its uid",
      environment: { ...POD, POD_UID: "" },
      expected: { namespace: "cr-reactor", name: "bridge-0", uid: undefined },
    },
    {
      name: "has its namespace from the service account, where nothing else says it",
      environment: { POD_NAME: "bridge-0" },
      file: new URL("own-pod.test.ts", import.meta.url).pathname,
      expected: "a namespace",
    },
    { name: "is unknown without its name", environment: { ...POD, POD_NAME: "" }, expected: undefined },
    { name: "is unknown without a namespace", environment: { POD_NAME: "bridge-0" }, expected: undefined },
    {
      name: "is none of a cluster by kubeconfig",
      environment: POD,
      settings: { kubeconfig: "x" },
      expected: undefined,
    },
    { name: "is none of KUBECONFIG's cluster", environment: { ...POD, KUBECONFIG: "x" }, expected: undefined },
  ]) {
    test(name, () => {
      const pod = ownPod(settings, environment, file);
      if (expected === "a namespace") assert.match(pod?.namespace ?? "", /./);
      else assert.deepEqual(pod, expected);
    });
  }
});
