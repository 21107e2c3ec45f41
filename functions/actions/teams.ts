/**
 * Posts an Adaptive Card to a channel or chat of Microsoft Teams through a webhook of Workflows (the connectors of Office 365 are retired).
 * All text is in text runs, which know no Markdown and no mentions. Workflows answers 202 before the card is posted, has no key for
 * repetitions and no way to change a card: a kill inside the call repeats it. Source: learn.microsoft.com, "Create incoming webhooks with
 * Workflows"; adaptivecards.io, schema 1.4.
 */
import { type ChangeReport, fitReport, type ReportLink } from "./change-report.ts";
import { cutText } from "./cut-text.ts";
import { type CallOptions, httpRequest } from "./http-client.ts";

/** The colour of a card. */
export type CardStyle = "attention" | "warning" | "good" | "emphasis";

/** An element of a card, as far as we use them. */
type CardElement = Readonly<Record<string, unknown>> & { readonly type: string };

/** Teams takes 28 KB; cards from 21 KB on were seen refused. */
const CARD_BYTES_MAX = 20 * 1024;
/** Buttons that a card shows. */
const LINKS_MAX = 6;
const URL_CHARS_MAX = 1_000;

/** The card for a report: as many of its fields as fit, and where even none does, shorter sentences. */
export function teamsCard(title: string, report: ChangeReport, style: CardStyle, links: readonly ReportLink[]): object {
  let charsMax = CARD_BYTES_MAX;
  for (;;) {
    const card = cardOf(title, shortened(fitReport(report, charsMax), charsMax), style, links);
    if (Buffer.byteLength(JSON.stringify(card)) <= CARD_BYTES_MAX || charsMax < 1) return card;
    charsMax = Math.floor(charsMax * 0.7);
  }
}

/** No sentence takes more than a tenth of the room; most are far shorter. */
function shortened(report: ChangeReport, charsMax: number): ChangeReport {
  const room = Math.max(1, Math.floor(charsMax / 10));
  return {
    ...report,
    message: report.message && cutText(report.message, room),
    facts: report.facts.map(([name, value]) => [name, cutText(value, room)]),
  };
}

/** Posts the card. `url` is a secret. Throws as httpRequest does. */
export async function postToTeams(url: string, card: object, options: CallOptions = {}): Promise<void> {
  const attachment = { contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card };
  await httpRequest({
    ...options,
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type: "message", attachments: [attachment] }),
    explain: (status) => `Teams refused the card (HTTP ${status}): ${nextStep(status)}`,
  });
}

function nextStep(status: number): string {
  switch (status) {
    case 400:
    case 401:
    case 403:
    case 404:
      return 'the URL is not whole, or its workflow was deleted, turned off, or asks for a sign-in: create one from the template "Post to a channel when a webhook request is received" (who can trigger: anyone), and put its URL into the secret';
    case 410:
      return "this is a retired Office 365 connector: create a workflow for the channel and put its URL into the secret";
    case 413:
      return "the card is too large: set fieldsMax lower";
    default:
      return "look at the run history of the workflow";
  }
}

function cardOf(title: string, report: ChangeReport, style: CardStyle, links: readonly ReportLink[]): object {
  const { headline, message, facts, fields, fieldsMore } = report;
  const moves = fields.map(([path, from, to]) => [path, `${from} → ${to}`] as const);
  const buttons = links.filter(({ url }) => url.length <= URL_CHARS_MAX).slice(0, LINKS_MAX);
  return {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    fallbackText: headline,
    msteams: { width: "Full" },
    body: [
      { type: "Container", style, bleed: true, items: [line([run(title, { weight: "Bolder", size: "Medium" })])] },
      ...(title === headline ? [] : [line([run(headline, { weight: "Bolder" })])]),
      ...(message === null ? [] : [line([run(message, { italic: true })])]),
      ...[...facts, ...moves].map(([name, value]) =>
        line([run(`${name}: `, { weight: "Bolder" }), run(value)], "Small"),
      ),
      ...(fieldsMore > 0 ? [line([run(`… and ${fieldsMore} more changed fields`, { isSubtle: true })])] : []),
    ],
    ...(buttons.length > 0 && {
      actions: buttons.map(({ text, url }) => ({ type: "Action.OpenUrl", title: text, url })),
    }),
  };
}

function line(inlines: readonly object[], spacing: "Small" | "Default" = "Default"): CardElement {
  return { type: "RichTextBlock", spacing, inlines };
}

/** A run must not be empty. */
function run(text: string, look: object = {}): object {
  return { type: "TextRun", text: text === "" ? " " : text, ...look };
}
