/**
 * Keeps what repeats itself from filling the disk: of each kind of warning or error so many lines a minute are written, the others are
 * counted, and the count is told when the minute is over. Lines are of one kind when they have the same sentence, numbers aside, of one
 * resource or subscription. What is no warning is written always, and so is what ends the process.
 */

/** A line that is about to be written. */
export interface LogLine {
  readonly level: number;
  readonly sentence: string;
  /** Whose it is; lines of different ones are different. */
  readonly owner: string;
}

/** Decides about lines. */
export interface Repetition {
  /** Whether this line is written; it is counted otherwise. */
  admits(line: LogLine): boolean;
}

/** Told of a kind of which lines were left out. */
export type OnLeftOut = (line: LogLine, count: number) => void;

/** Enough to see what happens to several objects; a line has about 300 bytes, so a kind has at most some 13 MB a day. */
const LINES_MAX = 30;
const WINDOW_MS = 60_000;
/** Kinds that are told apart; what is beyond them is one kind. */
const KINDS_MAX = 500;

/** As pino numbers them. */
export const WARNING = 40;
export const ERROR = 50;
const FATAL = 60;

/** Starts with nothing counted. The timer of a window does not keep the process alive. */
export function createRepetition(onLeftOut: OnLeftOut, setTimer = startTimer): Repetition {
  const kinds = new Map<string, { written: number; leftOut: number }>();
  return {
    admits(line) {
      if (line.level < WARNING || line.level >= FATAL) return true;
      const name = `${line.level} ${line.owner} ${line.sentence.replace(/\d+/g, "#")}`;
      const key = kinds.has(name) || kinds.size < KINDS_MAX ? name : String(line.level);
      let kind = kinds.get(key);
      if (kind === undefined) {
        const opened = { written: 0, leftOut: 0 };
        kinds.set(key, opened);
        kind = opened;
        setTimer(() => {
          kinds.delete(key);
          if (opened.leftOut > 0) onLeftOut(line, opened.leftOut);
        }, WINDOW_MS);
      }
      const isAdmitted = kind.written < LINES_MAX;
      if (isAdmitted) kind.written++;
      else kind.leftOut++;
      return isAdmitted;
    },
  };
}

function startTimer(callback: () => void, ms: number): void {
  setTimeout(callback, ms).unref();
}
