import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  SubscriptionError,
  bind,
  ownSubscription,
  parseSubscriptions,
  subscribe
} from "./chunk-LRB5TKVP.js";
import {
  NatsSettings,
  connectJetStream,
  didYouMean,
  external_exports,
  parseYamlConfig,
  resolveNatsSettings
} from "./chunk-TWY6VLQO.js";

// functions/main.ts
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
var BUILT_IN_FUNCTIONS = {
  "notify-slack": () => import("./notify-slack-7B4BZ7IY.js"),
  "trigger-workflow": () => import("./trigger-workflow-QUUOHGS6.js")
};
async function runFunctions(options) {
  let { log, signal } = options, bindings = await bindAll(options), nats = resolveNatsSettings(options.nats ?? fileOf(options)?.nats ?? NatsSettings.parse({})), jetStream = await connectJetStream(nats, "cr-reactor functions"), subscriptions = bindings.map((binding) => subscribe(jetStream, binding, { log, signal }));
  return {
    done: (async () => {
      await Promise.all(subscriptions.map(({ done }) => done)), await jetStream.close();
    })(),
    status: () => ({ connected: jetStream.connected, subscriptions: subscriptions.map(({ status }) => status()) })
  };
}
async function bindAll(options) {
  let { subscriptions: source, functions = BUILT_IN_FUNCTIONS, select } = options, file = fileOf(options);
  if (file === void 0) return await bindOwn(functions, select ?? []);
  let directory = source !== void 0 && "text" in source ? dirname(resolve(source.fileName)) : process.cwd(), found = await Promise.all(
    selected(file.subscriptions, select).map(async (subscription) => ({ subscription, loaded: await load(subscription, functions, directory) }))
  );
  return source !== void 0 && "text" in source && checkInPlace(file, found, source), found.map(({ subscription, loaded }) => {
    if ("problem" in loaded) throw new SubscriptionError(`subscription "${subscription.name}": ${loaded.problem}`);
    return bind(subscription, loaded.definition);
  });
}
function fileOf({ subscriptions: source }) {
  return source !== void 0 && "text" in source ? parseSubscriptions(source.text, source.fileName) : source;
}
async function bindOwn(functions, names) {
  if (names.length === 0) throw new SubscriptionError("nothing to run: name functions, or give a subscriptions file");
  return await Promise.all(
    names.map(async (name) => {
      let loaded = await load({ function: name }, functions, process.cwd());
      if ("problem" in loaded) throw new SubscriptionError(loaded.problem);
      return bind(ownSubscription(loaded.definition), loaded.definition);
    })
  );
}
function selected(subscriptions, names) {
  if (names === void 0 || names.length === 0) return subscriptions;
  for (let name of names) {
    if (subscriptions.some((each) => each.name === name || each.function === name)) continue;
    let known = subscriptions.flatMap((each) => [each.name, each.function]);
    throw new SubscriptionError(
      `no subscription is called "${name}" or uses a function of that name${didYouMean(name, known)}: add one to the subscriptions file`
    );
  }
  return subscriptions.filter((each) => names.includes(each.name) || names.includes(each.function));
}
async function load({ function: name }, functions, directory) {
  let isPath = /^\.{0,2}\//.test(name), module = Object.hasOwn(functions, name) ? functions[name] : void 0;
  if (module === void 0 && !isPath) {
    let known = Object.keys(functions);
    return {
      problem: `there is no function "${name}"${didYouMean(name, known)}: known are ${known.join(", ")}; your own is named by its path, such as ./my-function.ts`
    };
  }
  try {
    let loaded = await (module ?? (() => importPath(resolve(directory, name))))();
    return isDefinition(loaded.default) ? { definition: loaded.default } : {
      problem: `the default export of "${name}" is no function definition: write export default defineFunction({ \u2026 })`
    };
  } catch (error) {
    return {
      problem: `the function "${name}" cannot be loaded: ${error instanceof Error ? error.message : String(error)}`
    };
  }
}
async function importPath(path) {
  return await import(pathToFileURL(path).href);
}
function isDefinition(value) {
  let { name, config, run } = value ?? {};
  return typeof name == "string" && typeof run == "function" && config instanceof external_exports.ZodType;
}
function checkInPlace(file, found, source) {
  let entries = file.subscriptions.map(({ name }) => {
    let loaded = found.find((each) => each.subscription.name === name)?.loaded;
    return loaded === void 0 ? external_exports.any() : "problem" in loaded ? external_exports.looseObject({ function: external_exports.never({ error: loaded.problem }) }) : external_exports.looseObject({ config: loaded.definition.config.prefault({}) });
  }), [first, ...rest] = entries;
  first !== void 0 && parseYamlConfig(external_exports.looseObject({ subscriptions: external_exports.tuple([first, ...rest]) }), source.text, source.fileName);
}

export {
  runFunctions
};
