/**
 * What `open-ticket` needs of a place that keeps tickets. A tracker is a set of calls that may each be repeated: a ticket carries the
 * incident's key, so that it is found without any memory of ours, and a comment carries its event's.
 */
import type { ReportBlock } from "../change-report.ts";

/** A ticket; plain JSON, to be remembered. */
export type Ticket = {
  /** As people say it: `#17`, `OPS-17`. */
  readonly id: string;
  /** For a browser. */
  readonly url: string;
};

/** What a new ticket says. */
export interface TicketDraft {
  /** One line; cut where the tracker wants it shorter. */
  readonly title: string;
  /** A text of the user's, already in the tracker's markup, or a report. */
  readonly body: string | readonly ReportBlock[];
  readonly labels: readonly string[];
  readonly assignees: readonly string[];
}

/** One tracker, for one call of the function. Every call throws as httpRequest does: PermanentError with the next step, or what is tried again. */
export interface TicketTracker {
  /** For sentences: `GitHub`. */
  readonly name: string;
  /** How the user's own text is escaped. */
  readonly markup: "markdown" | "plain";
  /** Room for a report's text. */
  readonly reportCharsMax: number;
  /** After a creation without an answer: for so long it may still happen, or not be seen by `find`. */
  readonly settleMs: number;
  /**
   * The tickets with this key, the oldest first; there are two only after a race. Looks at what was touched since a time (epoch ms), by
   * the tracker's clock, and does not rely on its search alone.
   */
  find(key: string, sinceMs: number): Promise<readonly Ticket[]>;
  create(key: string, draft: TicketDraft): Promise<Ticket>;
  /** Opens it again for another incident, whose key it then has too. `gone`: it was deleted. */
  reopen(ticket: Ticket, key: string): Promise<"reopened" | "gone">;
  /** Comments, unless a comment with this key is there since that time. */
  comment(ticket: Ticket, key: string, sinceMs: number, body: readonly ReportBlock[]): Promise<"commented" | "gone">;
  /** Closes it where it is open: as done, or as a duplicate of another one. */
  close(ticket: Ticket, duplicateOf?: Ticket): Promise<"closed" | "gone">;
}
