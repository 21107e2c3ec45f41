/**
 * A text with the event's values in it, written by whoever configures a function: `{{ object.metadata.name }}`, `{% if before %}…`.
 * The language is Liquid (liquidjs), because it was made for templates of other people: no code, no files, limits on size, time and
 * memory. Checked when the configuration is read. Every value is escaped for where it ends up, and there is no way around that;
 * the scope is the event and nothing else, so no secret can be reached.
 * Source: shopify.github.io/liquid; liquidjs.com, "Security Model".
 */
import { Liquid } from "liquidjs";
import { z } from "zod";
import { type Change, didYouMean, type Envelope, type KubeObject } from "#contract";
import { type Incident, PermanentError } from "#kit";
import { durationInWords } from "./duration.ts";
import { escapeText, type Markup } from "./escape.ts";

/** What a template can name: what a function's context has of the event, so that the context itself can be given. */
export interface TemplateScope {
  readonly event: Envelope;
  readonly object: KubeObject;
  readonly before: KubeObject | null;
  readonly change: Change;
  readonly incident: Incident | undefined;
}

/** A template is a message, not a book. */
const TEMPLATE_CHARS_MAX = 10_000;
/** A template takes well under a millisecond; this stops one that loops over something very large. It is real time: a busy process needs room. */
const RENDER_MS_MAX = 250;
/** What a rendering may allocate, in characters and list elements; an object has at most about 1.5 million. */
const MEMORY_MAX = 10_000_000;
/** No receiver takes more; each cuts at its own limit. */
const TEXT_CHARS_MAX = 100_000;

const NAMES = ["event", "object", "before", "change", "incident"];
/** Everything else of Liquid reads files, prints without escaping, or is of no use here. */
const TAGS: ReadonlySet<string> = new Set("assign break case comment continue for if raw unless #".split(" "));
const FILTERS: ReadonlySet<string> = new Set(
  (
    "abs append at_least at_most capitalize ceil compact concat date default divided_by downcase first floor join json last lstrip map " +
    "minus modulo plus prepend remove replace replace_first reverse round rstrip size slice sort split squish strip times truncate " +
    "truncatewords uniq upcase where"
  ).split(" "),
);

/** A template's text, for settings. It stays a string; what is wrong with it is told with its place. */
export const Template = z
  .string()
  .max(TEMPLATE_CHARS_MAX, `a template has at most ${TEMPLATE_CHARS_MAX} characters`)
  .superRefine((text, context) => {
    const problem = templateProblem(text);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  });

const ENGINES: Readonly<Record<Markup, Liquid>> = {
  mrkdwn: engine("mrkdwn"),
  markdown: engine("markdown"),
  html: engine("html"),
  plain: engine("plain"),
  url: engine("url"),
};

/**
 * Fills in a template; what the event does not have is empty. A list or a map is shown as JSON. At most 100,000 characters, the rest
 * is cut. Throws PermanentError when the template asks for too much, and an Error worth another try when it takes too long.
 */
export function renderTemplate(template: string, scope: TemplateScope, markup: Markup): string {
  const liquid = ENGINES[markup];
  try {
    const text: unknown = liquid.renderSync(liquid.parse(template), dataOf(scope));
    return String(text).slice(0, TEXT_CHARS_MAX).toWellFormed();
  } catch (error) {
    const sentence = `the template ${JSON.stringify(shortened(template))} cannot be filled in: ${sentenceOf(error)}`;
    // Liquid's error quotes the template, not the values, but it has the scope on it.
    if (sentence.includes("render limit")) throw new Error(sentence);
    throw new PermanentError(sentence);
  }
}

/** What is wrong with a template, or `undefined`. */
function templateProblem(text: string): string | undefined {
  const liquid = ENGINES.plain;
  try {
    for (const name of liquid.globalVariablesSync(liquid.parse(text))) {
      if (NAMES.includes(name)) continue;
      return `${name} is unknown${didYouMean(name, NAMES)}: a template can name ${NAMES.join(", ")}`;
    }
    return undefined;
  } catch (error) {
    return sentenceOf(error);
  }
}

function engine(markup: Markup): Liquid {
  const liquid = new Liquid({
    outputEscape: (value: unknown) => escapeText(shown(value), markup),
    ownPropertyOnly: true,
    strictFilters: true,
    // No file is ever looked for.
    templates: {},
    dynamicPartials: false,
    parseLimit: TEMPLATE_CHARS_MAX,
    renderLimit: RENDER_MS_MAX,
    memoryLimit: MEMORY_MAX,
    timezoneOffset: 0,
    locale: "en-US",
    dateFormat: "%Y-%m-%d %H:%M:%S UTC",
  });
  for (const name of Object.keys(liquid.tags)) if (!TAGS.has(name)) delete liquid.tags[name];
  for (const name of Object.keys(liquid.filters)) if (!FILTERS.has(name)) liquid.unregisterFilter(name);
  liquid.registerFilter("duration", (seconds: unknown) =>
    typeof seconds === "number" && seconds >= 0 ? durationInWords(Math.floor(seconds)) : "",
  );
  return liquid;
}

/** Data alone: Liquid calls functions that it finds, and `remember` is one. The state before is computed when a template asks for it. */
function dataOf(scope: TemplateScope): object {
  const { event, object, change, incident } = scope;
  return {
    event,
    object,
    change,
    get before() {
      return scope.before;
    },
    ...(incident && {
      incident: {
        key: incident.key,
        type: incident.type,
        openedAt: incident.openedAt,
        openedBy: incident.openedBy,
        updateCount: incident.updateCount,
        previous: incident.previous,
        receipts: incident.receipts,
      },
    }),
  };
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? (JSON.stringify(value) ?? "") : String(value);
  return text.slice(0, TEXT_CHARS_MAX);
}

/** Liquid's own sentence without the excerpt that follows it. */
function sentenceOf(error: unknown): string {
  const [first = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return first
    .replace(/^tag "(\w+)" not found/, 'there is no tag "$1"')
    .replace(/^undefined filter: (\w+)/, "there is no filter $1");
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79).toWellFormed()}…`;
}
