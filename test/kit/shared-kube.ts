/**
 * What a test asks for when it needs real servers, or kubectl. Each function answers one, or marks the test as skipped with the reason and
 * answers undefined where it is missing; with CI=true a missing server fails the test instead.
 * The API server is shared, since it takes seconds to start: by all files of a run (the runner starts it), or by all tests of a file that
 * is run alone. So a test keeps to a namespace of its own, and whoever kills or reconfigures the API server asks for their own.
 */
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { z } from "zod";
import { type Alertmanager, startAlertmanager } from "./alertmanager.ts";
import { findBinary } from "./binary.ts";
import { databaseCrd } from "./database-crd.ts";
import { type KubeAccess, KubeAccessData, kubeAccess } from "./kube-access.ts";
import { type KubeOptions, type KubeServer, startKube } from "./kube-apiserver.ts";
import { BinaryMissingError } from "./missing-binary.ts";
import { type NatsCluster, startNatsCluster } from "./nats-cluster.ts";
import { type NatsOptions, type NatsServer, startNats } from "./nats-server.ts";

import { type Prometheus, startPrometheus } from "./prometheus.ts";

/** Set by the runner: the shared API server's KubeAccessData as JSON. */
export const SHARED_KUBE_VARIABLE = "CR_REACTOR_TEST_KUBE";

/** Set by the runner: why servers are missing, by name, as JSON; so that not every test file tries to install them again. */
export const MISSING_VARIABLE = "CR_REACTOR_TEST_MISSING";

const Missing = z.record(z.string(), z.string());

// A test file is a process, and node:test has no other place that its tests share.
let ofThisFile: Promise<KubeServer> | undefined;
let kubectlOfThisFile: Promise<string> | undefined;

/** The shared API server; it knows the kind Database of database-crd.ts. */
export function sharedKube(t: TestContext): Promise<KubeAccess | undefined> {
  const given = process.env[SHARED_KUBE_VARIABLE];
  if (given !== undefined) return Promise.resolve(kubeAccess(KubeAccessData.parse(JSON.parse(given))));
  return unlessMissing(t, ["kube-apiserver", "etcd"], () => {
    ofThisFile ??= startSharedKube();
    return ofThisFile;
  });
}

/** An API server for this test alone, stopped after it. */
export function needKube(t: TestContext, options?: KubeOptions): Promise<KubeServer | undefined> {
  return unlessMissing(t, ["kube-apiserver", "etcd"], async () => {
    const kube = await startKube(options);
    t.after(() => kube.stop());
    return kube;
  });
}

/** A NATS server for this test alone, stopped after it. */
export function needNats(t: TestContext, options?: NatsOptions): Promise<NatsServer | undefined> {
  return unlessMissing(t, [options?.binary ?? "nats-server"], async () => {
    const nats = await startNats(options);
    t.after(() => nats.stop());
    return nats;
  });
}

/** Three NATS servers as a cluster for this test alone, stopped after it. */
export function needNatsCluster(t: TestContext): Promise<NatsCluster | undefined> {
  return unlessMissing(t, ["nats-server"], async () => {
    const cluster = await startNatsCluster();
    t.after(() => cluster.stop());
    return cluster;
  });
}

/** An Alertmanager for this test alone, stopped after it. */
export function needAlertmanager(t: TestContext): Promise<Alertmanager | undefined> {
  return unlessMissing(t, ["alertmanager"], async () => {
    const alertmanager = await startAlertmanager();
    t.after(() => alertmanager.stop());
    return alertmanager;
  });
}

/** A Prometheus for this test alone, stopped after it, which scrapes these addresses (`host:port`) every second. */
export function needPrometheus(t: TestContext, targets: readonly string[]): Promise<Prometheus | undefined> {
  return unlessMissing(t, ["prometheus"], async () => {
    const prometheus = await startPrometheus(targets);
    t.after(() => prometheus.stop());
    return prometheus;
  });
}

/** The path of promtool. */
export function needPromtool(t: TestContext): Promise<string | undefined> {
  return unlessMissing(t, ["promtool"], () => findBinary("promtool"));
}

/** The path of kubectl. */
export function needKubectl(t: TestContext): Promise<string | undefined> {
  return unlessMissing(t, ["kubectl"], () => {
    kubectlOfThisFile ??= findBinary("kubectl");
    return kubectlOfThisFile;
  });
}

/** The path of openssl. */
export function needOpenssl(t: TestContext): Promise<string | undefined> {
  return unlessMissing(t, ["openssl"], () => findBinary("openssl"));
}

/** The path of helm. */
export function needHelm(t: TestContext): Promise<string | undefined> {
  return unlessMissing(t, ["helm"], () => findBinary("helm"));
}

/** Starts an API server that does not keep this process alive, and teaches it the kind Database. */
export async function startSharedKube(options?: KubeOptions): Promise<KubeServer> {
  const kube = await startKube(options);
  kube.unref();
  kube.etcd.unref();
  await kube.client.applyCrd(databaseCrd);
  return kube;
}

/** Creates a namespace that no other test has and answers its name. */
export async function uniqueNamespace(kube: KubeAccess): Promise<string> {
  const name = `test-${randomBytes(5).toString("hex")}`;
  await kube.client.createNamespace(name);
  return name;
}

/** A user of the API server, without any rights yet. */
export interface MintedUser {
  /** As a RoleBinding names it: `system:serviceaccount:<namespace>:<name>`. */
  readonly user: string;
  readonly token: string;
}

/** Makes a service account in the namespace, for a test that grants exactly the rights which it is about. */
export async function mintUser(kube: KubeAccess, namespace: string, name = "minted"): Promise<MintedUser> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await kube.client.create(accounts, { metadata: { name } });
  const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
  const answer = await kube.client.create(`${accounts}/${name}/token`, request);
  return { user: `system:serviceaccount:${namespace}:${name}`, token: answer["status"].token };
}

async function unlessMissing<T>(
  t: TestContext,
  binaries: readonly string[],
  start: () => Promise<T>,
): Promise<T | undefined> {
  const known = Missing.parse(JSON.parse(process.env[MISSING_VARIABLE] ?? "{}"));
  const reason = binaries.map((binary) => known[binary]).find((summary) => summary !== undefined);
  try {
    if (reason === undefined) return await start();
  } catch (error) {
    if (!(error instanceof BinaryMissingError) || isCi()) throw error;
    t.skip(error.summary);
    return undefined;
  }
  if (isCi()) throw new Error(reason);
  t.skip(reason);
  return undefined;
}

/** Whether what is missing must fail instead of being skipped. */
export function isCi(env: NodeJS.ProcessEnv = process.env): boolean {
  return env["CI"] === "true" || env["CI"] === "1";
}
