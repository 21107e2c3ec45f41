/**
 * One JSON line a decision on standard error: subject, id, resourceVersion and attempt as fields, never the object, never a
 * secret. Standard output stays free for what a command was asked for.
 */
import { type Logger as PinoLogger, pino } from "pino";

/** Levels `debug` to `error`, fields first: `log.info({ subject }, "sentence")`. */
export type Logger = PinoLogger;

/** Makes a logger; the level comes from LOG_LEVEL, default `info`. */
export function createLogger(component: string, level = process.env["LOG_LEVEL"] ?? "info"): Logger {
  return pino(
    {
      base: { component },
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** A logger that hands on each line, for tests of functions: everything from `debug` on. */
export function createRecordingLogger(onLine: (line: string) => void): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ base: null, timestamp: false, level: "debug", formatters }, { write: onLine });
}
