/**
 * `cr-reactor silence`: holds events back for a while, for those who work on what they are about; says what that would have been yesterday,
 * shows what was held back, and ends it.
 */
import { hostname, userInfo } from "node:os";
import { addSilence, endSilence, findSilence, noSilence, SilenceError } from "#kit";
import { count } from "./doctor/check.ts";
import { type ServerOptions, withLog } from "./event-log.ts";
import { previewSilence } from "./silence-preview.ts";
import { surveySilences } from "./silence-survey.ts";
import { previewText, renderSilence, scopeText, silenceTable } from "./silence-text.ts";
import { type SilenceOptions, silenceOf } from "./silence-wish.ts";
import { print, report } from "./terminal.ts";

/** Makes a silence, and prints its id. Throws ConfigError about the filter, SilenceError. */
export async function silenceCommand(filter: string | undefined, options: SilenceOptions): Promise<void> {
  const silence = silenceOf(filter, options, Date.now());
  await withLog(options, "silence", async (jetStream, signal) => {
    const preview = await previewSilence(jetStream, silence, signal);
    if (options.dryRun) {
      print(options.json ? JSON.stringify({ ...silence, preview }) : `${scopeText(silence)}\n${previewText(preview)}`);
      return;
    }
    const id = await addSilence(jetStream, silence, signal);
    if (options.json) return print(JSON.stringify({ id, ...silence, preview }));
    print(id);
    report(`Silent until ${silence.ends.slice(0, 19).replace("T", " ")} UTC: ${scopeText(silence)}`);
    report(previewText(preview));
    report(`What it holds back: cr-reactor silence show ${id}; end it: cr-reactor silence end ${id}`);
  });
}

/** Prints all that are known, and what they held back. */
export async function silenceListCommand(options: ServerOptions & { readonly json?: true }): Promise<void> {
  await withLog(options, "silence", async (jetStream, signal) => {
    const listed = await surveySilences(jetStream, signal);
    if (options.json) for (const each of listed) print(JSON.stringify(each));
    else {
      for (const line of silenceTable(listed)) print(line);
      report(`${count(listed.filter(({ state }) => state === "on").length, "silence")} on, ${listed.length} known.`);
    }
  });
}

/** Prints one, and the last of what it held back. Throws SilenceError where there is none. */
export async function silenceShowCommand(id: string, options: ServerOptions & { readonly json?: true }): Promise<void> {
  await withLog(options, "silence", async (jetStream, signal) => {
    const listed = (await surveySilences(jetStream, signal, id)).find((each) => each.id === id);
    if (listed === undefined) throw new SilenceError(noSilence(id));
    print(options.json ? JSON.stringify(listed, null, 2) : renderSilence(listed));
  });
}

/** Ends some now. Throws SilenceError where one is not there, after the others. */
export async function silenceEndCommand(
  ids: readonly string[],
  options: ServerOptions & { readonly by?: string },
): Promise<void> {
  await withLog(options, "silence", async (jetStream) => {
    const by = options.by ?? `${userInfo().username}@${hostname()}`;
    const unknown: string[] = [];
    for (const id of ids) {
      const before = await findSilence(jetStream, id);
      if (before === undefined) {
        unknown.push(id);
        continue;
      }
      const isOver = Date.parse(before.silence.ends) <= Date.now();
      const { silence } = await endSilence(jetStream, id, by);
      const then = silence.summary ? "; what it held back is told now" : "";
      print(isOver ? `${id}: it was over already` : `${id}: ended${then}`);
    }
    if (unknown.length > 0) throw new SilenceError(unknown.map(noSilence).join("\n"));
  });
}
