/**
 * Many events as one Slack message: what happened to how many objects, and a list of them, as far as there is room. For a function that
 * is called with all that arrived within a window; of an object that is in it more than once, the last event counts.
 */
import type { Envelope } from "#kit";
import { type ChangeSummary, summarise } from "../change-summary.ts";
import { durationInWords } from "../duration.ts";
import {
  codeSpan,
  context,
  escapeMrkdwn,
  escapePlain,
  header,
  paragraphs,
  SLACK_LIMITS,
  type SlackMessage,
  section,
  slackDate,
} from "./block.ts";

/** What a subscription may choose. */
export interface SlackGroupOptions {
  /** Stands on top instead of what happened, which moves below it. */
  readonly title?: string | undefined;
  readonly mentions?: readonly string[] | undefined;
}

/** A list is read, not searched: more lines say nothing more than their number. */
const OBJECTS_SHOWN_MAX = 50;
/** Kinds of happenings that are told apart on top. */
const HAPPENINGS_SHOWN_MAX = 4;
const NAME_CHARS_MAX = 200;
const STATE_CHARS_MAX = 60;
/** An object's own sentence, in a list of many. */
const MESSAGE_CHARS_MAX = 120;
/** Kept free for what stands around the list. */
const FRAME_CHARS = 2_500;

/** Renders the events, in the order given. Throws RangeError when there is none. */
export function slackGroupMessage(events: readonly Envelope[], options: SlackGroupOptions = {}): SlackMessage {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError("a group message needs at least one event");
  const objects = [...new Map(events.map((event) => [event.data.object.metadata.uid, event])).values()];
  const happened = headline(objects);
  const title = options.title && escapePlain(options.title, SLACK_LIMITS.headerCharsMax);
  const lines = objectLines(objects);
  const times =
    first.time === last.time ? slackDate(first.time) : `${slackDate(first.time)} to ${slackDate(last.time)}`;
  return {
    text: title ? `${title}: ${happened}` : happened,
    blocks: [header(title || happened), ...(options.mentions?.length ? [section(options.mentions.join(" "))] : [])],
    attachments: [
      {
        fallback: happened,
        blocks: [
          ...(title ? [section(`*${escapeMrkdwn(headlineText(objects), 300)}*`)] : []),
          ...paragraphs(lines),
          context(times),
        ],
      },
    ],
  };
}

function headline(objects: readonly Envelope[]): string {
  return escapePlain(headlineText(objects), SLACK_LIMITS.headerCharsMax);
}

/** "30 × Database: Running → Failed", the most frequent first. */
function headlineText(objects: readonly Envelope[]): string {
  const counts = new Map<string, number>();
  for (const event of objects) {
    const { kind, state } = summarise(event, 0);
    const happening = `${kind}: ${state}`.replaceAll("\n", " ");
    counts.set(happening, (counts.get(happening) ?? 0) + 1);
  }
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, HAPPENINGS_SHOWN_MAX).map(([happening, count]) => `${count} × ${happening}`);
  const more = sorted.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}

function objectLines(objects: readonly Envelope[]): string[] {
  const lines: string[] = [];
  let room = SLACK_LIMITS.messageCharsMax - FRAME_CHARS;
  for (const event of objects.slice(0, OBJECTS_SHOWN_MAX)) {
    const line = objectLine(summarise(event, 0));
    room -= JSON.stringify(line).length;
    if (room < 0) break;
    lines.push(line);
  }
  const more = objects.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more`] : lines;
}

function objectLine({ kind, object, state, phase, message, conditions }: ChangeSummary): string {
  const held = phase?.type === "moved" && phase.from !== null && phase.heldSeconds !== null;
  const after = held ? ` after ${durationInWords(phase.heldSeconds ?? 0)}` : "";
  const sentence = (message ?? conditions.find((condition) => condition.message)?.message ?? "").trim();
  const line = sentence.slice(0, MESSAGE_CHARS_MAX * 2).replace(/\s*\n\s*/g, " ");
  const said = line === "" ? "" : ` · ${escapeMrkdwn(line, MESSAGE_CHARS_MAX)}`;
  const name = `${escapeMrkdwn(kind, STATE_CHARS_MAX)} ${codeSpan(object, NAME_CHARS_MAX)}`;
  return `• ${name} ${escapeMrkdwn(state.replaceAll("\n", " "), STATE_CHARS_MAX)}${after}${said}`;
}
