/**
 * Everything real, as a user runs it: the command line's `bridge` and `run` as processes of their own, on the real API server and
 * NATS, with look-alikes of Slack and a workflow engine at the far end.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { type Envelope, parseSent } from "../../bridge/event/envelope.ts";
import { openEnvelope } from "../../bridge/log/dataref.ts";
import { connectJetStream, type JetStream } from "../../bridge/nats/jetstream.ts";
import { read } from "../../bridge/nats/reader.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import type { KubeAccess } from "../kit/kube-access.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { needNats, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { startSlack } from "../kit/slack-server.ts";
import { until } from "../kit/until.ts";
import { startWorkflowEndpoint } from "../kit/webhook-server.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** The kind of our tests, in the given namespaces. */
export const databases = (...namespaces: string[]) => ({
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  namespaces,
});

/** A process of the command line, with a configuration file of its own. */
export async function startCommand(
  t: TestContext,
  command: "bridge" | "run" | "serve",
  flag: string,
  config: object,
  isReady: RegExp,
): Promise<ServerProcess> {
  const folder = createDataFolder(command);
  const file = join(folder.path, `${command}.yaml`);
  writeFileSync(file, stringify(config));
  const process_ = await startServer({
    name: `cr-reactor ${command}`,
    command: process.execPath,
    args: () => [CLI, command, flag, file],
    folder,
    isReady,
    stopMsMax: 15_000,
  });
  t.after(() => process_.stop());
  return process_;
}

/** Everything that a journey has. */
export type Journey = NonNullable<Awaited<ReturnType<typeof startJourney>>>;

/** Servers, receivers, and how to start the two sides; `undefined` where a server is missing. */
export async function startJourney(
  t: TestContext,
  options: { readonly kube?: KubeAccess; readonly nats?: Parameters<typeof needNats>[1] } = {},
) {
  const kube = options.kube ?? (await sharedKube(t));
  const nats = kube && (await needNats(t, options.nats));
  if (kube === undefined || nats === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const [slack, workflows] = [await startSlack(), await startWorkflowEndpoint()];
  t.after(() => Promise.all([slack.stop(), workflows.stop()]));
  process.env["TEST_SLACK_URL"] = slack.webhookUrl;
  process.env["TEST_WORKFLOW_TOKEN"] = workflows.token;
  const connections: JetStream[] = [];
  t.after(() => Promise.all(connections.map((each) => each.close())));
  const connect = async () => {
    const jetStream = await connectJetStream({ servers: [nats.url] }, "journey");
    connections.push(jetStream);
    return jetStream;
  };
  return {
    kube,
    nats,
    namespace,
    slack,
    workflows,
    /** Starts the bridge; ready when it watches, or when its log matches. */
    startBridge: (overrides: object = {}, isReady = /resuming behind the checkpoint|compared with the log/) =>
      startCommand(
        t,
        "bridge",
        "--config",
        {
          cluster: "test",
          resources: [databases(namespace)],
          nats: { servers: [nats.url] },
          kubernetes: { kubeconfig: kube.kubeconfigPath },
          health: { host: "127.0.0.1", port: 0 },
          ...overrides,
        },
        isReady,
      ),
    /** Starts the functions: Slack when a Database becomes Failed, a workflow when its replicas change. */
    startFunctions: async () => {
      const functions = await startCommand(
        t,
        "run",
        "--subscriptions",
        {
          nats: { servers: [nats.url] },
          subscriptions: [
            {
              name: "database-failed",
              function: "notify-slack",
              apiVersion: "demo.example.com/v1",
              kind: "Database",
              when: { phase: { to: "Failed" } },
              config: { webhookUrl: { env: "TEST_SLACK_URL" } },
            },
            {
              name: "database-scaled",
              function: "trigger-workflow",
              apiVersion: "demo.example.com/v1",
              kind: "Database",
              when: { field: { path: "spec.replicas" } },
              config: {
                target: { type: "http", url: workflows.url, token: { env: "TEST_WORKFLOW_TOKEN" } },
                parameters: { from: "before.spec.replicas", to: "object.spec.replicas" },
              },
            },
          ],
        },
        /"consumer created"/,
      );
      const jetStream = connections[0] ?? (await connect());
      await until(async () => (await jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_EVENTS")).total === 2);
      return functions;
    },
    connect,
    /** Every event in the log, in the order of the stream. */
    async events(): Promise<Envelope[]> {
      const jetStream = connections[0] ?? (await connect());
      const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
      const delivered = await Array.fromAsync(read(jetStream, reading, AbortSignal.timeout(60_000), false)).catch(
        () => [],
      );
      return await Promise.all(delivered.map(({ message }) => openEnvelope(jetStream, parseSent(message.data))));
    },
    /** Resolves when the consumers of all subscriptions have nothing left to do. */
    async untilIdle(): Promise<void> {
      const jetStream = connections[0] ?? (await connect());
      await until(async () => {
        const { consumers } = await jetStream.api<{ consumers: { num_pending: number; num_ack_pending: number }[] }>(
          "CONSUMER.LIST.CR_EVENTS",
        );
        return (
          consumers.length > 0 &&
          consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0)
        );
      });
    },
  };
}
