/**
 * One JSON line a decision on standard error: subject, id, resourceVersion and attempt as fields, trace_id and span_id on what is about an
 * event; never the object, never a secret. Standard output stays free for what a command was asked for.
 */
import { type LogFn, type Logger as PinoLogger, pino } from "pino";
import { createRepetition, ERROR, WARNING } from "./log-repetition.ts";

/** Levels `debug` to `error`, fields first: `log.info({ subject }, "sentence")`. */
export type Logger = PinoLogger;

const LEVELS = [...Object.values(pino.levels.labels), "silent"];
const LEVEL_DEFAULT = "info";
/** Whose a line is, in the order in which it is asked for. */
const OWNERS = ["subscription", "resource"];

/**
 * Makes a logger; the level comes from LOG_LEVEL (`trace` to `fatal`, `silent`), default `info`. What repeats itself is left out and counted
 * (`log-repetition.ts`).
 */
export function createLogger(component: string, level = process.env["LOG_LEVEL"] || LEVEL_DEFAULT): Logger {
  const isLevel = LEVELS.includes(level);
  const repetition = createRepetition(({ level: number, sentence, owner }, leftOut) => {
    const write = number >= ERROR ? "error" : "warn";
    logger[write]({ ...(owner && { of: owner }), leftOut }, `lines like this were left out: ${sentence}`);
  });
  const logger = pino(
    {
      base: { component },
      level: isLevel ? level : LEVEL_DEFAULT,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod(args, method, number) {
          if (number < WARNING || repetition.admits(lineOf(this, args, number))) method.apply(this, args);
        },
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  if (!isLevel) logger.warn({ known: LEVELS }, `LOG_LEVEL is no level: ${LEVEL_DEFAULT} is used`);
  return logger;
}

/** A logger that hands on each line, for tests of functions: everything from `debug` on. */
export function createRecordingLogger(onLine: (line: string) => void): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ base: null, timestamp: false, level: "debug", formatters }, { write: onLine });
}

/** As `log.warn(fields, sentence)` and `log.warn(sentence)` say it. */
function lineOf(logger: Logger, args: Parameters<LogFn>, level: number) {
  const [first, second] = args as readonly unknown[];
  const fields = { ...logger.bindings(), ...(typeof first === "object" ? first : {}) } as Record<string, unknown>;
  const owner = OWNERS.map((name) => fields[name]).find((name) => typeof name === "string");
  return { level, sentence: String(typeof first === "string" ? first : second), owner: String(owner ?? "") };
}
