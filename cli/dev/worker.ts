/**
 * The process in which `dev` runs functions: a new one for each time that something is saved, so that what is loaded is what was saved, and a
 * function that breaks its process breaks nothing else. It is told events, and tells what became of them in each subscription.
 */
import { readSecret, SecretSource } from "#contract";
import type { Binding, Subscription } from "#kit";
import { secretsSent, withoutEcho } from "../../functions/actions/echo.ts";
import { createRehearsal, type TestResult } from "../../functions/kit/testing/rehearsal.ts";
import { bindAll } from "../../functions/main.ts";
import { readTextFile } from "../file.ts";
import type { Delivery, DevEvent, DevReport, Unsent } from "./dev-message.ts";
import { functionFiles } from "./function-file.ts";
import { type HeldBack, holdBack } from "./held-back.ts";

/** What is run, and whether what it sends leaves. */
export interface WorkerOptions {
  /** Functions, and folders of them. */
  readonly paths: readonly string[];
  /** Instead of what functions say themselves. */
  readonly subscriptions?: string;
  readonly send?: true;
}

/** More of a body is not looked at. */
const BODY_CHARS_MAX = 4_000;

/** Loads the functions, then runs what comes until the process is ended by the one that started it. */
export async function devWorkerCommand(options: WorkerOptions): Promise<void> {
  const tell = (report: DevReport) => process.send?.(report);
  let unsent: HeldBack[] = [];
  if (!options.send) holdBack((request) => unsent.push(request));
  const { bindings, problems } = await load(options);
  const rehearsed = bindings.map((binding) => {
    return { binding, rehearsal: createRehearsal({ binding, retries: false, isTimed: false, now: new Date() }) };
  });
  let running = Promise.resolve();
  process.on("message", ({ type, payload }: DevEvent) => {
    if (type === "past") {
      for (const { rehearsal } of rehearsed) rehearsal.past(payload);
      return;
    }
    running = running.then(async () => {
      const deliveries: Delivery[] = [];
      for (const { binding, rehearsal } of rehearsed) {
        unsent = [];
        const begunMs = performance.now();
        const result = await rehearsal.run(payload);
        const secrets = secretsOf(binding.subscription);
        deliveries.push({
          ...toldOf(binding.subscription.name, result),
          unsent: unsent.map((request) => withoutSecrets(request, secrets)),
          ms: performance.now() - begunMs,
        });
      }
      tell({ type: "delivered", deliveries });
    });
  });
  process.on("disconnect", () => process.exit());
  tell({ type: "loaded", subscriptions: bindings.map(describe), problems });
}

/** Each function by itself, so that one with a mistake holds up no other. */
async function load({ paths, subscriptions: fileName }: WorkerOptions) {
  const bindings: Binding[] = [];
  const problems: string[] = [];
  const bind = async (loading: () => ReturnType<typeof bindAll>) => {
    try {
      bindings.push(...(await loading()));
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  };
  if (fileName === undefined) {
    const files = functionFiles(paths);
    for (const file of files) await bind(() => bindAll({ select: [file] }));
    if (files.length === 0) problems.push(`no file of ${paths.join(", ")} calls defineFunction`);
  } else await bind(async () => await bindAll({ subscriptions: { text: await readTextFile(fileName), fileName } }));
  return { bindings, problems };
}

function describe({ subscription: { name, apiVersion, kind }, functionName }: Binding) {
  return { name, functionName, apiVersion, kind };
}

function toldOf(subscription: string, result: TestResult): Omit<Delivery, "unsent" | "ms"> {
  const { outcome, note, reason, error, steps, logs } = result;
  return {
    subscription,
    outcome: outcome === "waiting" ? "retry" : outcome,
    note,
    reason,
    error: error?.message,
    steps,
    logs,
  };
}

/** The values that its settings name: a receiver may want one in a body. */
function secretsOf({ config }: Subscription): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown): void => {
    const source = SecretSource.safeParse(value);
    if (source.success) {
      try {
        found.push(readSecret(source.data));
      } catch {
        // The function says so itself.
      }
    } else if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  visit(config);
  return found;
}

function withoutSecrets({ method, url, headers, body }: HeldBack, named: readonly string[]): Unsent {
  const secrets = [...named, ...secretsSent(url, headers)];
  const hide = (text: string) => withoutEcho(text, secrets);
  return { method, url: hide(url), body: hide(body).slice(0, BODY_CHARS_MAX) };
}
