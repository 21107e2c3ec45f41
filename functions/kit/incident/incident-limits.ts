/**
 * The sizes and times of incidents, each with its reason.
 */

/** All receipts of an incident, as JSON: ids and links, not documents; each event of the object reads them. */
export const RECEIPTS_BYTES_MAX = 16 * 1024;
/** Subjects must stay far below the server's protocol line of 4 KB, and ids are kept many times; our own events' have 60 characters. */
export const IDENTITY_BYTES_MAX = 2_048;
/** Decisions that are kept of an object, for events that come again: more than dead letters of one object are tried again at a time. */
export const DECISIONS_MAX = 16;
/** How long a resolved incident is kept: for the next one of the object, and as long as dead letters. */
export const RESOLVED_DAYS = 30;
/** Objects that are remembered within a process: ten thousand of a usual size are a few megabytes. */
export const REMEMBERED_MAX = 10_000;
