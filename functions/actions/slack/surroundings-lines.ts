/** What is around an object as lines of a Slack message: its newest warning Events and what it owns, in a bounded part of the room. */
import type { Surroundings } from "../kube/surroundings.ts";
import { codeSpan, escapeMrkdwn, paragraphs, type SlackBlock, slackDate } from "./block.ts";

/** Room for everything, in mrkdwn; conditions and fields have the rest of the message. */
const CHARS_MAX = 2_000;
const REASON_CHARS_MAX = 100;
const MESSAGE_CHARS_MAX = 300;
const NAME_CHARS_MAX = 150;
const STATE_CHARS_MAX = 120;

/** The blocks; none when there is nothing to say. What has no room is counted. */
export function surroundingBlocks(surroundings: Surroundings | undefined): SlackBlock[] {
  if (surroundings === undefined) return [];
  const { warnings, owned, ownedMore, incomplete } = surroundings;
  const warningLines = warnings.map(({ reason, message, count, at }) => {
    const times = count > 1 ? ` ×${count}` : "";
    const said = message === "" ? "" : `: ${escapeMrkdwn(message, MESSAGE_CHARS_MAX)}`;
    return `• *${escapeMrkdwn(reason || "Warning", REASON_CHARS_MAX)}*${times} ${slackDate(at)}${said}`;
  });
  const ownedLines = owned.map(({ kind, name, state }) => {
    const shown = state === "" ? "" : ` ${escapeMrkdwn(state, STATE_CHARS_MAX)}`;
    return `• ${escapeMrkdwn(kind, NAME_CHARS_MAX)} ${codeSpan(name, NAME_CHARS_MAX)}${shown}`;
  });
  const partly = incomplete.map((kind) => `… ${escapeMrkdwn(kind, NAME_CHARS_MAX)}: too many to look at all`);
  return [
    ...paragraphs(listed("*Warnings*", warningLines, 0, [])),
    ...paragraphs(listed("*Owns*", ownedLines, ownedMore, partly)),
  ];
}

function listed(title: string, lines: readonly string[], moreAlready: number, notes: readonly string[]): string[] {
  if (lines.length + moreAlready + notes.length === 0) return [];
  let room = CHARS_MAX / 2;
  const shown = lines.filter((line) => {
    room -= line.length + 1;
    return room >= 0;
  });
  const more = moreAlready + lines.length - shown.length;
  return [title, ...shown, ...(more > 0 ? [`… and ${more} more`] : []), ...notes];
}
