/**
 * Keeps one ticket for each incident: opens it, comments on it while the incident goes on, comments and closes it when the object recovers, and
 * opens it again when the next incident of the object comes soon. What is remembered about it saves questions; without it, after a kill
 * or a loss of NATS, the ticket is found again by the incident's key, which stands in it.
 */
import { z } from "zod";
import { defineFunction, type FunctionContext, type Incident, PermanentError, RetryAfterError } from "#kit";
import {
  type ChangeReport,
  changeReport,
  fitReport,
  inUtc,
  type ReportBlock,
  reportBlocks,
} from "./actions/change-report.ts";
import { createLookAround, SurroundingsSettings, surroundingRights } from "./actions/kube/surroundings.ts";
import { filledLinks, Links } from "./actions/link.ts";
import { isWithin } from "./actions/pace.ts";
import { renderTemplate, Template } from "./actions/template.ts";
import { GitHubTarget, githubIssues } from "./actions/ticket/github-issues.ts";
import { GitLabTarget, gitlabIssues } from "./actions/ticket/gitlab-issues.ts";
import { JiraTarget, jira } from "./actions/ticket/jira.ts";
import type { Ticket, TicketDraft, TicketTracker } from "./actions/ticket/ticket-tracker.ts";

const Config = z.strictObject({
  target: z.discriminatedUnion("type", [GitHubTarget, JiraTarget, GitLabTarget]),
  /** One line; default what happened: "Database prod/orders: Running → Failed". */
  title: Template.optional(),
  /** In the tracker's Markdown, in Jira plain text; default a report of the change. */
  body: Template.optional(),
  /** Each a template; empty ones are left out. */
  labels: z.array(Template).max(20).default([]),
  assignees: z.array(Template).max(10).default([]),
  links: Links,
  /** Changed fields that are listed, 0 to 100; the rest is counted. */
  fieldsMax: z.int().min(0).max(100).default(20),
  /** While an incident goes on, at most one comment in so many minutes; 0: one for each event. Default 60. */
  commentEveryMinutes: z.number().min(0).max(100_000).default(60),
  /** On recovery: comment and close the ticket, or only comment. */
  onResolve: z.enum(["close", "comment"]).default("close"),
  /** An incident that begins so soon after the object's last one was resolved opens that one's ticket again; 0: never. Default 24. */
  reopenWithinHours: z
    .number()
    .min(0)
    .max(24 * 365)
    .default(24),
  /** Asks the API server what is around the object: its newest warning Events, and what it owns. */
  kubernetes: SurroundingsSettings,
});
type Config = z.infer<typeof Config>;
type Context = FunctionContext<Config>;

/** What is remembered of an incident's ticket. */
const Receipt = z.discriminatedUnion("state", [
  /** A creation was begun, and how it ended is not known. */
  z.object({ state: z.literal("opening"), at: z.iso.datetime() }),
  /** `toldAt`: the time of the last event that it tells of. */
  z.object({ state: z.literal("known"), id: z.string(), url: z.string(), toldAt: z.string() }),
]);
type Receipt = z.infer<typeof Receipt>;

const RECEIPT = "ticket";
/** The tracker's clock may be behind the cluster's, and an event's own time is older than its delivery only. */
const CLOCK_SKEW_MS = 3_600_000;
const HOUR_MS = 3_600_000;

/** The function with its connections to API servers. */
function createOpenTicket() {
  const lookAround = createLookAround();
  return defineFunction({
    name: "open-ticket",
    description: "Keeps one ticket for each incident: opened, commented on, closed and opened again.",
    config: Config,
    rights: ({ kubernetes }, told) => surroundingRights(kubernetes, told),
    // A ticket takes up to six calls, each of ten seconds at most.
    timeoutMs: 60_000,
    async run(context) {
      const { config, event, incident } = context;
      const tracker = trackerOf(context);
      const known = knownReceipt(incident);
      const type = incident?.type ?? "opened";
      if (type === "updated" && known && isWithin(known.toldAt, event, config.commentEveryMinutes))
        return `${known.id} was told of less than ${config.commentEveryMinutes} minutes ago`;
      const surroundings = await lookAround(config.kubernetes, context);
      const whole = changeReport(event, incident, config.fieldsMax, surroundings);
      const report = fitReport(whole, tracker.reportCharsMax);
      switch (type) {
        case "opened":
          return await opened(context, tracker, report);
        case "updated":
          return await updated(context, tracker, report);
        case "resolved":
          return await resolved(context, tracker, report);
        default:
          return type satisfies never;
      }
    },
  });
}

export default createOpenTicket();

async function opened(context: Context, tracker: TicketTracker, report: ChangeReport): Promise<string> {
  const { incident, event } = context;
  const { ticket, how } = await ensureTicket(context, tracker, report);
  if (how === "reopened") {
    const again = `It happened again, after it had been resolved at ${inUtc(incident?.previous?.resolvedAt ?? event.time)}: ${report.headline}`;
    await comment(context, tracker, ticket, [paragraph(again), ...blocksOf(context, report)]);
  }
  await rememberTold(context, ticket);
  return `${how} ${ticket.id}`;
}

async function updated(context: Context, tracker: TicketTracker, report: ChangeReport): Promise<string> {
  const known = knownReceipt(context.incident);
  // Its opening became a dead letter, or is forgotten.
  const { ticket, how } = known ? { ticket: known, how: "known" } : await ensureTicket(context, tracker, report);
  const blocks = [paragraph(report.headline), ...blocksOf(context, report)];
  const done = how === "opened" ? how : await comment(context, tracker, ticket, blocks);
  await rememberTold(context, ticket);
  return `${done} ${ticket.id}`;
}

async function resolved(context: Context, tracker: TicketTracker, report: ChangeReport): Promise<string> {
  const { config, incident, step } = context;
  const ticket = knownReceipt(incident) ?? (await findOne(context, tracker));
  if (ticket === undefined) return "there is no ticket to close";
  const blocks = [paragraph(`Resolved: ${report.headline}`), ...blocksOf(context, report)];
  const done = await comment(context, tracker, ticket, blocks);
  const closed = config.onResolve === "close" ? await step("close", () => tracker.close(ticket)) : done;
  await rememberTold(context, ticket);
  return `${closed} ${ticket.id}`;
}

/** The incident's ticket: one that is found, the one before opened again, or a new one. */
async function ensureTicket(
  context: Context,
  tracker: TicketTracker,
  report: ChangeReport,
): Promise<{ readonly ticket: Ticket; readonly how: "found" | "reopened" | "opened" }> {
  return await context.step("open", async () => {
    const previous = await previousTicket(context, tracker);
    const found = await findOne(context, tracker);
    // One that was found may be the one before, whose opening was broken off.
    if (previous && (found === undefined || found.id === previous.id))
      if ((await tracker.reopen(previous, keyOf(context))) === "reopened") return { ticket: previous, how: "reopened" };
    if (found) return { ticket: found, how: "found" };
    return { ticket: await create(context, tracker, draftOf(context, tracker, report)), how: "opened" };
  });
}

/** Creates a ticket. Where nobody knows whether that worked, the next try begins when it would be seen. */
async function create(context: Context, tracker: TicketTracker, draft: TicketDraft): Promise<Ticket> {
  const { incident } = context;
  const begun = receiptOf(incident);
  const leftMs = begun?.state === "opening" ? Date.parse(begun.at) + tracker.settleMs - Date.now() : 0;
  if (leftMs > 0)
    throw new RetryAfterError(`${tracker.name} may still be creating the ticket: it is looked for again`, leftMs);
  await incident?.remember(RECEIPT, { state: "opening", at: new Date().toISOString() } satisfies Receipt);
  const created = await settled(tracker, () => tracker.create(keyOf(context), draft));
  return (await findOne(context, tracker)) ?? created;
}

/** Runs a call that must not happen twice. An Error that says neither "refused" nor "later" leaves open whether it happened. */
async function settled<T>(tracker: TicketTracker, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof PermanentError || error instanceof RetryAfterError || !(error instanceof Error)) throw error;
    throw new RetryAfterError(`${error.message}; whether it happened is looked for after a while`, tracker.settleMs, {
      cause: error,
    });
  }
}

/** The ticket of the incident, found at the tracker. Where a race made two, the older one stays. */
async function findOne(context: Context, tracker: TicketTracker): Promise<Ticket | undefined> {
  const key = keyOf(context);
  const sinceMs = Date.parse(context.incident?.openedAt ?? context.event.time) - CLOCK_SKEW_MS;
  const [oldest, ...twins] = await tracker.find(key, sinceMs);
  if (oldest === undefined) return undefined;
  for (const twin of twins) {
    const link = { type: "links", links: [{ text: `Duplicate of ${oldest.id}`, url: oldest.url }] } as const;
    await tracker.comment(twin, `${key}/duplicate`, sinceMs, [link]);
    await tracker.close(twin, oldest);
  }
  return oldest;
}

/** The ticket of the object's incident before, if that was resolved so shortly before that it is to be opened again. */
async function previousTicket({ incident, config }: Context, tracker: TicketTracker): Promise<Ticket | undefined> {
  const { previous, openedAt = "" } = incident ?? {};
  if (previous === undefined) return undefined;
  const resolvedMs = Date.parse(previous.resolvedAt);
  if (Date.parse(openedAt) - resolvedMs > config.reopenWithinHours * HOUR_MS || config.reopenWithinHours === 0)
    return undefined;
  const receipt = Receipt.safeParse(previous.receipts[RECEIPT]);
  if (receipt.data?.state === "known") return { id: receipt.data.id, url: receipt.data.url };
  return (await tracker.find(previous.key, resolvedMs - CLOCK_SKEW_MS))[0];
}

async function comment(
  { step, event, idempotencyKey }: Context,
  tracker: TicketTracker,
  ticket: Ticket,
  blocks: readonly ReportBlock[],
): Promise<"commented" | "gone"> {
  const sinceMs = Date.parse(event.time) - CLOCK_SKEW_MS;
  return await step("comment", () => settled(tracker, () => tracker.comment(ticket, idempotencyKey, sinceMs, blocks)));
}

function draftOf(context: Context, tracker: TicketTracker, report: ChangeReport): TicketDraft {
  const { config } = context;
  const lines = (templates: readonly string[]) =>
    templates.map((template) => oneLine(renderTemplate(template, context, "plain"))).filter((line) => line !== "");
  const title = config.title === undefined ? "" : oneLine(renderTemplate(config.title, context, "plain"));
  return {
    title: title === "" ? report.headline : title,
    body: config.body === undefined ? blocksOf(context, report) : renderTemplate(config.body, context, tracker.markup),
    labels: lines(config.labels),
    assignees: lines(config.assignees),
  };
}

function blocksOf(context: Context, report: ChangeReport): ReportBlock[] {
  return reportBlocks(report, filledLinks(context.config.links, context));
}

function paragraph(text: string): ReportBlock {
  return { type: "paragraph", text };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Without an incident every event has a ticket of its own. */
function keyOf({ incident, idempotencyKey }: Context): string {
  return incident?.key ?? idempotencyKey;
}

function receiptOf(incident: Incident | undefined): Receipt | undefined {
  return Receipt.safeParse(incident?.receipts[RECEIPT]).data;
}

function knownReceipt(incident: Incident | undefined) {
  const receipt = receiptOf(incident);
  return receipt?.state === "known" ? receipt : undefined;
}

async function rememberTold({ incident, event }: Context, { id, url }: Ticket): Promise<void> {
  await incident?.remember(RECEIPT, { state: "known", id, url, toldAt: event.time } satisfies Receipt);
}

function trackerOf(context: Context): TicketTracker {
  const { target } = context.config;
  const filled = (template: string) => oneLine(renderTemplate(template, context, "plain"));
  switch (target.type) {
    case "github":
      return githubIssues(target, filled(target.repository), { signal: context.signal });
    case "gitlab":
      return gitlabIssues(target, filled(target.project), { signal: context.signal });
    case "jira": {
      const place = {
        project: filled(target.project),
        issueType: filled(target.issueType),
        priority: filled(target.priority),
      };
      return jira(target, place, { signal: context.signal });
    }
    default:
      return target satisfies never;
  }
}
