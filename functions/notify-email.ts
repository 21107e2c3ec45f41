/** Tells people by e-mail what happened to an object; the messages of an incident are one thread. */
import { z } from "zod";
import { defineFunction, type FunctionContext, PermanentError } from "#kit";
import { type ChangeReport, changeReport, type ReportBlock, reportBlocks } from "./actions/change-report.ts";
import { cutText } from "./actions/cut-text.ts";
import { SmtpServer, sendEmail } from "./actions/email.ts";
import { hashedKey } from "./actions/hashed-key.ts";
import { filledLinks, Links } from "./actions/link.ts";
import { isTooSoon, rememberTold, UpdateEveryMinutes } from "./actions/pace.ts";
import { reportHtml, reportPlain } from "./actions/report-text.ts";
import { renderTemplate, Template } from "./actions/template.ts";

const Config = z.strictObject({
  smtp: SmtpServer,
  from: z.email(),
  /** Addresses, each a template: `{{ object.metadata.annotations.owner }}`. Empty ones are left out. */
  to: z.array(Template).min(1).max(50),
  /** Default what happened: "Database prod/orders: Running → Failed". */
  subject: Template.optional(),
  links: Links,
  /** Changed fields that are listed, 0 to 100; the rest is counted. */
  fieldsMax: z.int().min(0).max(100).default(20),
  updateEveryMinutes: UpdateEveryMinutes,
});
type Config = z.infer<typeof Config>;
type Context = FunctionContext<Config>;

/** Clients put a thread together by its subject too, so it stays that of the first message. */
const RECEIPT = "email";
const SUBJECT_CHARS_MAX = 150;

export default defineFunction({
  name: "notify-email",
  description: "Sends an e-mail about the change; those of an incident are one thread.",
  config: Config,
  timeoutMs: 60_000,
  async run(context) {
    const { config, incident, event, idempotencyKey, step, log } = context;
    if (isTooSoon(incident, event, config.updateEveryMinutes)) return "told lately";
    const report = changeReport(event, incident, config.fieldsMax);
    const subject = subjectOf(context, report);
    const domain = config.from.split("@").at(-1);
    const messageIdOf = (key: string) => `cr-reactor.${hashedKey(key)}@${domain}`;
    const blocks = blocksOf(context, report);
    const isFirst = incident === undefined || incident.type === "opened";
    const email = {
      from: config.from,
      to: recipientsOf(context),
      subject: isFirst ? subject : `Re: ${subject}`,
      text: reportPlain(blocks),
      html: reportHtml(blocks),
      date: new Date(event.time),
      messageId: messageIdOf(isFirst ? (incident?.key ?? idempotencyKey) : idempotencyKey),
      threadId: isFirst ? undefined : messageIdOf(incident.key),
    };
    await incident?.remember(RECEIPT, subject);
    const rejected = await step("send", async ({ signal }) => [...(await sendEmail(config.smtp, email, { signal }))]);
    if (rejected.length > 0)
      log.warn({ event: event.id }, `the mail server refused ${rejected.length} of ${email.to.length} recipients`);
    await rememberTold(incident, event);
    return `sent to ${email.to.length - rejected.length} of ${email.to.length}`;
  },
});

function subjectOf(context: Context, report: ChangeReport): string {
  const known = z.string().safeParse(context.incident?.receipts[RECEIPT]).data;
  if (known !== undefined) return known;
  const { subject } = context.config;
  const own = subject === undefined ? "" : renderTemplate(subject, context, "plain").replace(/\s+/g, " ").trim();
  return cutText(own === "" ? report.headline : own, SUBJECT_CHARS_MAX);
}

function blocksOf(context: Context, report: ChangeReport): ReportBlock[] {
  const blocks = reportBlocks(report, filledLinks(context.config.links, context));
  const prefix = context.incident?.type === "resolved" ? "Resolved: " : "";
  return [{ type: "paragraph", text: `${prefix}${report.headline}` }, ...blocks];
}

function recipientsOf(context: Context): string[] {
  const all = context.config.to.map((template) => renderTemplate(template, context, "plain").trim());
  const addresses = [...new Set(all.filter((address) => address !== ""))];
  for (const address of addresses)
    if (!z.email().safeParse(address).success)
      throw new PermanentError(
        `${JSON.stringify(address.slice(0, 100))} is no e-mail address: check the template in to`,
      );
  if (addresses.length === 0)
    throw new PermanentError("every template in to is empty: add an address that always gets the message");
  return addresses;
}
