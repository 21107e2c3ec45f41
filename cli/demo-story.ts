/**
 * The story of the demo: what happens to one database, step by step, and what each step must cause. A step that causes too
 * little, too much or the wrong thing is a failure.
 */
import { isDeepStrictEqual } from "node:util";
import { database, databasePath } from "../test/kit/database-crd.ts";
import type { DemoCluster } from "./demo-cluster.ts";

/** What one step does, and what must come of it. */
export interface DemoStep {
  readonly title: string;
  /** What does it: a command that somebody types, or the operator. */
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

/** What came of a step. */
export interface StepOutcome {
  /** The event, described as in `expected`; `undefined` if none came. */
  readonly event: string | undefined;
  /** The texts of the Slack messages that came since the step before. */
  readonly slack: readonly string[];
  /** The parameters of the workflows that were started since the step before. */
  readonly workflows: readonly unknown[];
}

/** What of a step's outcome is not as expected: too little, too much, or something else. */
export function judge({ expected, title }: DemoStep, outcome: StepOutcome): string[] {
  const problems: string[] = [];
  if (outcome.event !== expected.event)
    problems.push(`the event is "${outcome.event ?? "missing"}", expected "${expected.event}"`);
  const messages = expected.slack === undefined ? 0 : 1;
  if (outcome.slack.length !== messages) problems.push(`${outcome.slack.length} Slack messages, expected ${messages}`);
  for (const text of outcome.slack) {
    if (expected.slack && !expected.slack.test(text))
      problems.push(`the Slack message says "${text}", expected ${expected.slack}`);
  }
  const workflows = expected.workflow === undefined ? [] : [expected.workflow];
  if (!isDeepStrictEqual(outcome.workflows, workflows)) {
    problems.push(
      `workflows were started with ${JSON.stringify(outcome.workflows)}, expected ${JSON.stringify(workflows)}`,
    );
  }
  return problems.map((problem) => `${title}: ${problem}`);
}

/** The database the story is about. */
export const HERO = "orders";
const OPERATOR = "database-operator";
/** As kubectl names itself in these two commands. */
const KUBECTL = { apply: "kubectl-client-side-apply", patch: "kubectl-patch" } as const;

/** A life: created, brought up, scaled, broken, healed, deleted. */
export const STORY: readonly DemoStep[] = [
  {
    title: "somebody asks for a database with 3 replicas",
    command: `$ kubectl apply -f ${HERO}.yaml`,
    write: ({ create, namespace }) =>
      create(databasePath(namespace), database(HERO, namespace, { engine: "postgres", replicas: 3 }), KUBECTL.apply),
    expected: { event: "created" },
  },
  phaseStep("the operator starts to bring it up", "Provisioning", undefined, "updated  none → Provisioning"),
  phaseStep("it runs", "Running", undefined, "updated  Provisioning → Running"),
  {
    title: "somebody scales it from 3 to 5 replicas",
    command: `$ kubectl patch database ${HERO} -p '{"spec":{"replicas":5}}'`,
    write: ({ patch, namespace }) => patch(databasePath(namespace, HERO), { spec: { replicas: 5 } }, KUBECTL.patch),
    expected: { event: "updated", workflow: { database: HERO, from: 3, to: 5 } },
  },
  phaseStep("it fails", "Failed", "disk full on orders-2", "updated  Running → Failed", /orders.*Running → Failed/),
  phaseStep("the operator heals it", "Running", "", "updated  Failed → Running"),
  {
    title: "somebody deletes it",
    command: `$ kubectl delete database ${HERO}`,
    write: ({ remove, namespace }) => remove(databasePath(namespace, HERO)),
    expected: { event: "deleted" },
  },
];

function phaseStep(title: string, phase: string, message: string | undefined, event: string, slack?: RegExp): DemoStep {
  const status = { phase, ...(message !== undefined && { message }) };
  return {
    title,
    command: `the operator sets status.phase: ${phase}`,
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
