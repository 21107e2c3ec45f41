/**
 * Incidents of several objects through `open-ticket`, with random faults before and after the effect, retries, kills, and memory that is lost at
 * any try: each look-alike ends with one ticket for each incident in its true last state, and no comment twice. A seed can be had again.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hiddenMarker, markerLabel } from "../../functions/actions/ticket/marker.ts";
import openTicket from "../../functions/open-ticket.ts";
import { startGitHub } from "../kit/github-server.ts";
import { startGitLab } from "../kit/gitlab-server.ts";
import { startJira } from "../kit/jira-server.ts";
import type { Misbehaviour } from "../kit/misbehaviour.ts";
import { createRandom } from "../kit/random.ts";
import { type IncidentType, incidentRun, ownClock } from "./incident-run.ts";

const TOKEN = "CR_REACTOR_TEST_RANDOM_TICKET_TOKEN";

/** A tracker's world as a test sees it. */
interface World extends AsyncDisposable, Pick<Misbehaviour, "at"> {
  readonly target: object;
  /** All tickets: whether it is open, and whether it is an incident's. */
  tickets(): readonly { readonly isOpen: boolean; has(key: string): boolean }[];
  /** Ticket and marker of all comments. */
  comments(): readonly string[];
}

async function githubWorld(): Promise<World> {
  const github = await startGitHub();
  process.env[TOKEN] = github.token;
  return {
    at: github.at,
    target: { type: "github", repository: github.repository, apiUrl: github.origin, token: { env: TOKEN } },
    tickets: () =>
      github.issues.map(({ state, body }) => ({
        isOpen: state === "open",
        has: (key) => body?.includes(`<!-- cr-reactor: ${key} -->`) ?? false,
      })),
    comments: () => github.comments.map(({ issue, body }) => `${issue} ${body.split("\n").at(-1)}`),
    [Symbol.asyncDispose]: github.stop,
  };
}

async function jiraWorld(edition: "cloud" | "server"): Promise<World> {
  const jira = await startJira(edition);
  process.env[TOKEN] = jira.token;
  const secret = { env: TOKEN };
  const access = edition === "cloud" ? { email: jira.email, apiToken: secret } : { token: secret };
  return {
    at: jira.at,
    target: { type: "jira", url: jira.origin, project: jira.project, ...access },
    tickets: () =>
      jira.issues.map(({ status, labels }) => ({
        isOpen: status !== "Done",
        has: (key) => labels.some(({ name }) => name === markerLabel(key)),
      })),
    comments: () =>
      jira.comments.map(({ issue, body }) => `${issue} ${/cr-reactor-[0-9a-f]{20}/.exec(JSON.stringify(body))}`),
    [Symbol.asyncDispose]: jira.stop,
  };
}

async function gitlabWorld(): Promise<World> {
  const gitlab = await startGitLab();
  process.env[TOKEN] = gitlab.token;
  return {
    at: gitlab.at,
    target: { type: "gitlab", url: gitlab.origin, project: gitlab.project, token: { env: TOKEN } },
    tickets: () =>
      gitlab.issues.map(({ state, description }) => ({
        isOpen: state === "opened",
        has: (key) => description.includes(hiddenMarker(key)),
      })),
    comments: () => gitlab.notes.map(({ issue, body }) => `${issue} ${body.split("\n").at(-1)}`),
    [Symbol.asyncDispose]: gitlab.stop,
  };
}

const WORLDS: readonly { readonly name: string; start(): Promise<World> }[] = [
  { name: "GitHub", start: githubWorld },
  { name: "Jira Cloud, whose search is a minute late,", start: () => jiraWorld("cloud") },
  { name: "GitLab", start: gitlabWorld },
  { name: "Jira Server", start: () => jiraWorld("server") },
];
const SEEDS = [1, 2, 3, 4, 5, 6, 11];
const EVENTS = 25;
const LATER_MS = [10_000, 600_000, 3 * 3_600_000];

before(() => {
  process.env[TOKEN] = "set by each world";
});
after(() => {
  delete process.env[TOKEN];
});

for (const { name, start } of WORLDS) {
  describe(`every incident has one ticket in its true last state at ${name}`, () => {
    for (const seed of SEEDS) {
      test(`with seed ${seed}`, async (t) => {
        ownClock(t);
        await using world = await start();
        world.at(0.3, seed);
        const random = createRandom(seed * 7919);
        const config = { target: world.target, reopenWithinHours: 1, commentEveryMinutes: 5 };
        const objects = ["a", "b", "c"].map((uid) => {
          const run = incidentRun(t, openTicket, config, {
            uid,
            loses: () => (random.next() < 0.3 ? random.pick(["all", "steps", "receipts"] as const) : undefined),
            dies: () => random.next() < 0.05,
            triesMax: 200,
          });
          return { run, isOpen: false };
        });
        const keys = new Map<string, (typeof objects)[number]>();
        for (let event = 0; event < EVENTS; event++) {
          const object = random.pick(objects);
          const type: IncidentType = object.isOpen ? random.pick(["updated", "updated", "resolved"]) : "opened";
          object.isOpen = type !== "resolved";
          assert.doesNotMatch(
            await object.run.event(type, { laterMs: random.pick(LATER_MS) }),
            /dead letter|gone|no ticket/,
          );
          keys.set(object.run.key, object);
        }
        check(world, keys);
      });
    }
  });
}

function check(
  world: World,
  keys: ReadonlyMap<string, { readonly run: { readonly key: string }; readonly isOpen: boolean }>,
): void {
  for (const [key, object] of keys) {
    const tickets = world.tickets().filter((ticket) => ticket.has(key));
    assert.equal(tickets.length, 1, `${key} has ${tickets.length} tickets`);
    // An incident that is over is closed, unless the next one opened its ticket again.
    const isReopened = tickets[0]?.has(object.run.key) && object.isOpen;
    assert.equal(tickets[0]?.isOpen, isReopened, key);
  }
  const comments = world.comments();
  assert.equal(new Set(comments).size, comments.length, "no comment is there twice");
}
