/**
 * The story of the demo: what happens to one database, step by step, and what each step must cause. A step that causes too
 * little, too much or the wrong thing is a failure.
 */
import { database, databasePath } from "../test/kit/database-crd.ts";
import type { DemoCluster } from "./demo-cluster.ts";

/** What one step does, and what must come of it. */
export interface DemoStep {
  readonly title: string;
  /** The command that would do the same. */
  readonly command: string;
  write(cluster: DemoCluster): Promise<void>;
  readonly expected: {
    /** The event: what happened, and its phase transition. */
    readonly event: string;
    /** What the Slack message must say. */
    readonly slack?: RegExp;
    /** The parameters the workflow must be started with. */
    readonly workflow?: Readonly<Record<string, unknown>>;
  };
}

/** The database the story is about. */
export const HERO = "orders";
const OPERATOR = "database-operator";
const PERSON = "kubectl-edit";

/** A life: created, brought up, scaled, broken, healed, deleted. */
export const STORY: readonly DemoStep[] = [
  {
    title: "somebody asks for a database with 3 replicas",
    command: `kubectl apply -f ${HERO}.yaml`,
    write: ({ create, namespace }) =>
      create(databasePath(namespace), database(HERO, namespace, { engine: "postgres", replicas: 3 }), PERSON),
    expected: { event: "created" },
  },
  phaseStep("the operator starts to bring it up", "Provisioning", undefined, "updated  none → Provisioning"),
  phaseStep("it runs", "Running", undefined, "updated  Provisioning → Running"),
  {
    title: "somebody scales it from 3 to 5 replicas",
    command: `kubectl patch database ${HERO} -p '{"spec":{"replicas":5}}'`,
    write: ({ patch, namespace }) => patch(databasePath(namespace, HERO), { spec: { replicas: 5 } }, PERSON),
    expected: { event: "updated", workflow: { database: HERO, from: 3, to: 5 } },
  },
  phaseStep("it fails", "Failed", "disk full on orders-2", "updated  Running → Failed", /orders.*Running → Failed/),
  phaseStep("the operator heals it", "Running", "", "updated  Failed → Running"),
  {
    title: "somebody deletes it",
    command: `kubectl delete database ${HERO}`,
    write: ({ remove, namespace }) => remove(databasePath(namespace, HERO)),
    expected: { event: "deleted" },
  },
];

function phaseStep(title: string, phase: string, message: string | undefined, event: string, slack?: RegExp): DemoStep {
  const status = { phase, ...(message !== undefined && { message }) };
  return {
    title,
    command: `status.phase = ${phase}`,
    write: ({ patch, namespace }) => patch(`${databasePath(namespace, HERO)}/status`, { status }, OPERATOR),
    expected: { event, ...(slack && { slack }) },
  };
}

/** The demo's subscriptions, as a user would write them. */
export function demoSubscriptions(workflowUrl: string): string {
  return `subscriptions:
  - name: database-failed
    function: notify-slack
    apiVersion: demo.example.com/v1
    kind: Database
    when: { phase: { to: Failed } }
    config:
      webhookUrl: { env: CR_REACTOR_DEMO_SLACK }
  - name: database-scaled
    function: trigger-workflow
    apiVersion: demo.example.com/v1
    kind: Database
    when: { field: { path: spec.replicas } }
    config:
      target: { type: http, url: "${workflowUrl}", token: { env: CR_REACTOR_DEMO_TOKEN } }
      parameters: { database: object.metadata.name, from: before.spec.replicas, to: object.spec.replicas }
`;
}
