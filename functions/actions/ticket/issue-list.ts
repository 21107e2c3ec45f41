/**
 * What GitHub and GitLab have in common: issues that are named by their number, and lists in pages of which the newest come first.
 */
import { z } from "zod";
import { PermanentError } from "#kit";
import { readAnswer } from "../answer.ts";
import type { Ticket } from "./ticket-tracker.ts";

/** What is listed, and by whom: `GitHub`, for sentences. */
export interface IssueList<Schema extends z.ZodType> {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly item: Schema;
  readonly service: string;
}

const PAGE_SIZE = 50;
/** A thousand issues that were touched since: whoever has more in an incident looks for its ticket in vain. */
const PAGES_MAX = 20;

/** The pages of a list; `get` answers the body at a path. */
export async function* issuePages<Schema extends z.ZodType>(
  get: (path: string) => Promise<unknown>,
  { path, query, item, service }: IssueList<Schema>,
): AsyncGenerator<z.output<Schema>[]> {
  for (let page = 1; page <= PAGES_MAX; page++) {
    const asked = new URLSearchParams({ ...query, per_page: String(PAGE_SIZE), page: String(page) });
    const list = readAnswer(z.array(item), await get(`${path}?${asked}`), service);
    yield list;
    if (list.length < PAGE_SIZE) return;
  }
}

/** What is remembered of a ticket came from here, or from somebody who edited it. Throws PermanentError. */
export function issueNumber({ id }: Ticket, service: string): string {
  const [, number] = /^#(\d{1,15})$/.exec(id) ?? [];
  if (number === undefined) throw new PermanentError(`${JSON.stringify(id)} is no issue of ${service}, such as #17`);
  return number;
}
