/**
 * `cr-reactor record`: real events as fixtures for tests of functions, a file for each object, as `testFunction(…).recorded(file)` reads them.
 * What looks secret is redacted first; nothing else is written than what is told.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Envelope, follow, type JetStream, read } from "#contract";
import { count } from "../doctor/check.ts";
import { chooseEvents, type EventChoice } from "../event-choice.ts";
import { readEnvelope, type ServerOptions, withLog } from "../event-log.ts";
import { readingOf } from "../tail.ts";
import { print, progress, report } from "../terminal.ts";
import { withPseudonyms } from "./pseudonym.ts";
import { createRedactor, type Redactor } from "./redactor.ts";

/** The options of the command. */
export interface RecordOptions extends ServerOptions, Omit<EventChoice, "kind"> {
  /** The folder. */
  readonly output: string;
  readonly count?: number;
  /** Milliseconds: of this time, instead of what comes. */
  readonly since?: number;
  readonly redact?: readonly string[];
  readonly anonymous?: true;
  readonly force?: true;
  readonly json?: true;
}

/** A file cannot be written: the message says what to do. */
class RecordError extends Error {
  readonly code = "RECORD";
}

/** A test has a handful of events; all of them are in memory until they are written. */
const COUNT_MAX = 10_000;

/** Writes what the log has of a time, or what comes until Ctrl-C or `count` events. `usage` ends the command with what is wrong about it. Throws RecordError, and what `chooseEvents` throws. */
export async function recordCommand(
  kind: string | undefined,
  options: RecordOptions,
  usage: (problem: string) => never,
): Promise<void> {
  const redactor = redactorOf(options, usage);
  await withLog(options, "record", async (jetStream, signal) => {
    if (options.since === undefined) report("Waiting for changes. Ctrl-C ends, and writes what came.");
    const recorded: Envelope[] = [];
    for await (const event of chosen(jetStream, { ...options, kind }, signal)) {
      recorded.push(event);
      progress(`${count(recorded.length, "event")} recorded`);
      if (recorded.length >= Math.min(options.count ?? COUNT_MAX, COUNT_MAX)) break;
    }
    progress("");
    if (options.since !== undefined) signal.throwIfAborted(); // it would be half of what was asked for
    // Twice, because what one event shows to be secret may stand in an earlier one where nobody would look for it.
    for (const event of recorded) redactor.redact(event);
    const events = recorded.map((event) => redactor.redact(event));
    const files = filesOf(options.anonymous ? withPseudonyms(events) : events);
    await mkdir(options.output, { recursive: true });
    for (const [name, lines] of files) await writeFixture(join(options.output, name), lines, options.force === true);
    tell(files, redactor, options);
  });
}

function redactorOf({ redact = [] }: RecordOptions, usage: (problem: string) => never): Redactor {
  try {
    return createRedactor(redact);
  } catch (error) {
    return usage(`option '--redact': ${(error as Error).message}`);
  }
}

async function* chosen(
  jetStream: JetStream,
  options: RecordOptions & EventChoice,
  signal: AbortSignal,
): AsyncGenerator<Envelope, void, void> {
  const { subjects, wants } = await chooseEvents(jetStream, options);
  const reading = readingOf(subjects, options.since);
  const messages =
    options.since === undefined ? follow(jetStream, reading, signal) : read(jetStream, reading, signal, false);
  for await (const { message } of messages) {
    const event = await readEnvelope(jetStream, message, signal);
    if (event !== undefined && wants(event)) yield event;
  }
}

/** By the name of the file: the lines of one object's events. Objects whose names come out alike have numbers behind them. */
function filesOf(events: readonly Envelope[]): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  const names = new Map<string, string>();
  for (const event of events) {
    const { kind, namespace, name, cluster, subject } = event;
    const object = `${cluster}${subject}`;
    const plain = [kind, namespace, name]
      .filter((part) => part !== undefined)
      .map((part) => part.toLowerCase().replace(/[^a-z0-9-]+/g, "-"))
      .join("-");
    const taken = (number: number) => `${plain}${number === 1 ? "" : `-${number}`}.ndjson`;
    let number = 1;
    while (!names.has(object) && files.has(taken(number))) number++;
    const file = names.get(object) ?? taken(number);
    names.set(object, file);
    files.set(file, [...(files.get(file) ?? []), JSON.stringify(event)]);
  }
  return files;
}

async function writeFixture(path: string, lines: readonly string[], force: boolean): Promise<void> {
  try {
    await writeFile(path, `${lines.join("\n")}\n`, { flag: force ? "w" : "wx" });
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new RecordError(
      isThere
        ? `${path} is there already: --force overwrites it`
        : `${path} cannot be written: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function tell(
  files: ReadonlyMap<string, readonly string[]>,
  redactor: Redactor,
  { output, json }: RecordOptions,
): void {
  const written = [...files].map(([name, lines]) => ({ file: join(output, name), events: lines.length }));
  const redacted = redactor.fields();
  if (json) {
    print(JSON.stringify({ files: written, redacted }, null, 2));
    return;
  }
  for (const { file, events } of written) print(`${file}  ${count(events, "event")}`);
  if (written.length === 0) report("No such event: nothing was written.");
  else if (redacted.length === 0) report("Nothing looked secret. Look before you commit them.");
  else report(`Redacted: ${redacted.join(", ")}. Look before you commit them.`);
}
