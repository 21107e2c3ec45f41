/** The silences of a subscriptions file in front of a function in its test: by the test's clock, and with what it told of namespaces. */
import { type Envelope, opOf } from "#contract";
import { compileSetting, firstHolding } from "../silence/compiled-silence.ts";
import { SilenceSettings } from "../silence/silence.ts";
import { createSilenceGate, type SilenceGate } from "../silence/silence-gate.ts";

/** `log`: the events so far. Throws ZodError for settings that a file could not have. */
export function testSilences(
  subscription: string,
  settings: Parameters<typeof SilenceSettings.parse>[0],
  { log, nowMs }: { readonly log: readonly Envelope[]; readonly nowMs: () => number },
): SilenceGate {
  const all = SilenceSettings.parse(settings).map(compileSetting);
  const about = () => all.filter(({ concerns }) => concerns(subscription));
  const namespaceOf = async (event: Envelope) => {
    const last = log.findLast(({ kind, name }) => kind === "Namespace" && name === event.namespace);
    return last === undefined || opOf(last) === "deleted" ? undefined : last.data.object;
  };
  const watch = {
    about,
    holding: (_: string, asked: Parameters<typeof firstHolding>[1]) =>
      firstHolding(about(), asked, () => namespaceOf(asked.event)),
  };
  return createSilenceGate(subscription, watch, undefined, nowMs);
}
