/**
 * Posts a message to a Discord channel through a webhook, and changes it later by its id. All text is escaped, and nobody is mentioned.
 * A webhook has no key for repetitions: a kill between Discord's answer and its record repeats a message, and changing one repeats nothing.
 * Source: discord.com/developers, "Webhook", "Embed limits", "JSON error codes", "Rate limits".
 */
import { z } from "zod";
import { PermanentError, RetryAfterError } from "#kit";
import { parseJson, readAnswer } from "./answer.ts";
import { type ChangeReport, fitReport, type ReportLink } from "./change-report.ts";
import { cutText } from "./cut-text.ts";
import { escapeText } from "./escape.ts";
import { type CallOptions, type HttpResponse, httpRequest } from "./http-client.ts";

/** An embed, which is the message. */
export interface DiscordEmbed {
  readonly title: string;
  readonly description: string;
  /** 0xRRGGBB */
  readonly color: number;
  readonly timestamp: string;
  readonly fields: readonly { readonly name: string; readonly value: string; readonly inline: boolean }[];
}

/** The webhook; `url` is a secret. */
export interface DiscordTarget {
  readonly url: string;
  /** A thread of the webhook's channel. */
  readonly threadId?: string | undefined;
}

const LIMITS = { title: 256, description: 4_096, fields: 25, name: 256, value: 1_024, total: 6_000 } as const;
/** Escaped text is up to three times as long. */
const REPORT_CHARS_MAX = 1_800;
/** Facts and changed fields in less would be torn apart. */
const VALUE_CHARS = 300;

const Refusal = z.object({ code: z.number().catch(0), message: z.string().catch("") });
const RateLimit = z.object({ retry_after: z.number().nonnegative() });
const UNKNOWN_MESSAGE = 10_008;
const MESSAGE_ID = /^\d{1,20}$/;

/** Renders a report within Discord's limits. */
export function discordEmbed(
  title: string,
  whole: ChangeReport,
  look: { readonly color: number; readonly timestamp: string },
  links: readonly ReportLink[],
): DiscordEmbed {
  const report = fitReport(whole, REPORT_CHARS_MAX);
  const pairs = [...report.facts, ...report.fields.map(([path, from, to]) => [path, `${from} → ${to}`] as const)];
  const fields = pairs.slice(0, LIMITS.fields).map(([name, value]) => ({
    name: escaped(name, LIMITS.name / 2),
    value: escaped(value, VALUE_CHARS),
    inline: value.length < 40,
  }));
  const more = report.fieldsMore + pairs.length - fields.length;
  const lines = [
    ...(title === report.headline ? [] : [escaped(report.headline, 300)]),
    ...(report.message === null ? [] : [escaped(report.message, 600)]),
    ...(more > 0 ? [`… and ${more} more changed fields`] : []),
    ...links
      .filter(({ url }) => url.length <= 300)
      .slice(0, 5)
      .map(({ text, url }) => `[${escaped(text, 100)}](${linkTarget(url)})`),
  ];
  const embed = { title: escaped(title, LIMITS.title), description: cutText(lines.join("\n"), 2_400), fields, ...look };
  return withinTotal(embed);
}

/** A parenthesis would end the link, and encodeURIComponent leaves it. */
function linkTarget(url: string): string {
  return url.replaceAll("(", "%28").replaceAll(")", "%29").replace(/\s/g, encodeURIComponent);
}

/** Posts a message and resolves to its id. Throws as httpRequest does. */
export async function postToDiscord(
  target: DiscordTarget,
  embed: DiscordEmbed,
  options: CallOptions = {},
): Promise<string> {
  const response = await call(target, "POST", "", { wait: "true" }, embed, options);
  return readAnswer(z.object({ id: z.string().regex(MESSAGE_ID) }), parseJson(response.text), "Discord").id;
}

/** Changes a message. Resolves to false when it is not there any more. Throws as httpRequest does. */
export async function editOnDiscord(
  target: DiscordTarget,
  id: string,
  embed: DiscordEmbed,
  options: CallOptions = {},
): Promise<boolean> {
  if (!MESSAGE_ID.test(id)) return false;
  const response = await call(target, "PATCH", `/messages/${id}`, {}, embed, options);
  return response.status !== 404;
}

async function call(
  { url, threadId }: DiscordTarget,
  method: "POST" | "PATCH",
  path: string,
  query: Readonly<Record<string, string>>,
  embed: DiscordEmbed,
  options: CallOptions,
): Promise<HttpResponse> {
  const asked = new URLSearchParams({ ...query, ...(threadId && { thread_id: threadId }) });
  const response = await httpRequest({
    ...options,
    url: `${url.trim().replace(/[?#].*$|\/+$/g, "")}${path}?${asked}`,
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ embeds: [embed], allowed_mentions: { parse: [] } }),
    acceptedStatuses: [404, 429],
    explain: (status, text) => refusal(status, text),
  });
  const { status, text } = response;
  if (status === 429) {
    const seconds = RateLimit.safeParse(parseJson(text)).data?.retry_after ?? 5;
    throw new RetryAfterError(
      "Discord's rate limit is used up (HTTP 429)",
      Math.max(1_000, Math.min(seconds * 1_000, 3_600_000)),
    );
  }
  if (status === 404 && !(method === "PATCH" && codeOf(text) === UNKNOWN_MESSAGE))
    throw new PermanentError(refusal(status, text));
  return response;
}

function codeOf(text: string): number {
  return Refusal.safeParse(parseJson(text)).data?.code ?? 0;
}

function refusal(status: number, text: string): string {
  const { code, message } = Refusal.safeParse(parseJson(text)).data ?? { code: 0, message: "" };
  return `Discord refused the message (HTTP ${status}, ${code} ${message.slice(0, 200)}): ${nextStep(code)}`;
}

function nextStep(code: number): string {
  switch (code) {
    case 10_015:
    case 50_027:
      return "the webhook was deleted, or its URL is not whole: create one (channel settings, Integrations) and put its URL into the secret";
    case 10_003:
      return "the thread does not exist: check threadId";
    case 50_083:
      return "the thread is archived and locked: unarchive it, or choose another threadId";
    case 220_001:
    case 220_003:
      return "the webhook belongs to a forum channel: set threadId";
    default:
      return "compare the settings with Discord's documentation";
  }
}

/** Takes fields away until everything together is short enough. */
function withinTotal(embed: DiscordEmbed): DiscordEmbed {
  const lengthOf = ({ title, description, fields }: DiscordEmbed) =>
    title.length + description.length + fields.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  let fitting = embed;
  while (lengthOf(fitting) > LIMITS.total && fitting.fields.length > 0)
    fitting = { ...fitting, fields: fitting.fields.slice(0, -1) };
  return fitting;
}

function escaped(text: string, charsMax: number): string {
  const cut = cutText(escapeText(cutText(text, charsMax), "markdown"), charsMax);
  return cut.trim() === "" ? "–" : cut;
}
