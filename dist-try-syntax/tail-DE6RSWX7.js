import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  paint,
  print,
  report,
  stopSignal
} from "./chunk-HUFOHVMQ.js";
import "./chunk-37LN4L4P.js";
import {
  JetStreamApiError,
  MalformedEventError,
  NatsSettings,
  SUBJECT_ROOT,
  connectJetStream,
  encodeToken,
  follow,
  opOf,
  parseEnvelope,
  parsePointer,
  resolveNatsSettings,
  toDotted
} from "./chunk-TWY6VLQO.js";
import "./chunk-T3ACO5Y6.js";

// cli/change-text.ts
var OP_STYLES = {
  created: "green",
  updated: "yellow",
  deleted: "red",
  existing: "gray",
  unselected: "gray"
}, VALUE_LENGTH_MAX = 100;
function renderChange(envelope) {
  let op = opOf(envelope), { transitions, patch = [], gap } = envelope.data, object = `${envelope.kind} ${envelope.namespace === void 0 ? "" : `${envelope.namespace}/`}${envelope.name}`, head = [
    paint("dim", envelope.recordedtime.slice(11, 23)),
    paint(OP_STYLES[op] ?? "white", op.padEnd(8)),
    paint("bold", object),
    phaseText(envelope),
    envelope.manager === void 0 ? "" : paint("dim", `by ${envelope.manager}`),
    gap ? paint("magenta", "(states before this may be missing)") : ""
  ], conditions = Object.entries(transitions.conditions ?? {}).map(
    ([type, { from, to, reason }]) => `    ${type}: ${from ?? "none"} \u2192 ${paint("bold", to ?? "none")}${reason ? ` (${reason})` : ""}`
  );
  return [head.filter(Boolean).join("  "), ...conditions, ...patch.map(renderOperation)].join(`
`);
}
function phaseText({ phase, data }) {
  let transition = data.transitions.phase;
  if (transition === void 0) return phase === void 0 ? "" : paint("dim", phase);
  let held = transition.heldSeconds === null ? "" : paint("dim", ` (held ${transition.heldSeconds} s)`);
  return `${transition.from ?? "none"} \u2192 ${paint("bold", transition.to ?? "none")}${held}`;
}
function renderOperation(operation) {
  let path = toDotted(parsePointer(operation.path));
  switch (operation.op) {
    case "add":
      return paint("green", `  + ${path}: ${show(operation.value)}`);
    case "remove":
      return paint("red", `  - ${path}: ${show(operation.oldValue)}`);
    case "replace":
      return `${paint("yellow", `  ~ ${path}:`)} ${paint("red", show(operation.oldValue))} \u2192 ${paint("green", show(operation.value))}`;
    default:
      return operation;
  }
}
function show(value) {
  let text = JSON.stringify(value).replace(/[\u007f-\u009f]/g, "\uFFFD");
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}\u2026` : text;
}

// cli/tail.ts
var NoLogError = class extends Error {
  code = "NO_LOG";
};
async function tailCommand(kind, options) {
  let signal = stopSignal(), settings = resolveNatsSettings(NatsSettings.parse(options.server ? { servers: options.server } : {})), jetStream = await connectJetStream(settings, "cr-reactor tail"), shown = 0;
  try {
    options.json || report("Waiting for changes. Ctrl-C ends.");
    for await (let { message } of follow(jetStream, readingOf(kind, options), signal)) {
      let envelope = readEnvelope(message.data, message.subject);
      if (!(envelope === void 0 || !wanted(envelope, kind)) && (print(options.json ? Buffer.from(message.data).toString("utf8") : renderChange(envelope)), ++shown === options.count))
        return;
    }
  } catch (error) {
    throw !(error instanceof JetStreamApiError) || error.status !== 404 ? error : new NoLogError(
      "there is no stream CR_EVENTS on this NATS: start the bridge first (cr-reactor bridge --config bridge.yaml)",
      { cause: error }
    );
  } finally {
    await jetStream.close();
  }
}
function readingOf(kind, { namespace, name, since }) {
  let [kindName = "", group] = splitKind(kind ?? ""), tokens = [
    "*",
    group === void 0 ? "*" : encodeToken(group),
    /^[A-Z]/.test(kindName) ? encodeToken(kindName) : "*",
    namespace === void 0 ? "*" : encodeToken(namespace),
    name === void 0 ? "*" : encodeToken(name)
  ], filter_subjects = [`${SUBJECT_ROOT}.${tokens.join(".")}.>`];
  return since === void 0 ? { filter_subjects, deliver_policy: "new" } : {
    filter_subjects,
    deliver_policy: "by_start_time",
    opt_start_time: new Date(Date.now() - since).toISOString()
  };
}
function wanted({ kind, subject }, argument) {
  if (argument === void 0) return !0;
  let [name = ""] = splitKind(argument.toLowerCase()), plural = subject.split("/").at(-2);
  return name === kind.toLowerCase() || name === plural;
}
function splitKind(text) {
  let dot = text.indexOf(".");
  return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
}
function readEnvelope(data, subject) {
  try {
    return parseEnvelope(data);
  } catch (error) {
    if (!(error instanceof MalformedEventError)) throw error;
    report(`not an event of ours on ${subject}: ${error.message}`);
    return;
  }
}
export {
  tailCommand
};
