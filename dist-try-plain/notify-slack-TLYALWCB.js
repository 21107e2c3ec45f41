import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  HttpUrl,
  httpRequest,
  retryAfterMs
} from "./chunk-K3V5YIPZ.js";
import {
  PermanentError,
  RetryAfterError,
  defineFunction
} from "./chunk-AQK4HXSM.js";
import "./chunk-37LN4L4P.js";
import {
  SecretSource,
  external_exports,
  opOf,
  parseFieldPath,
  readSecret,
  toPointer,
  valueAt
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";

// functions/actions/link-template.ts
var PLACEHOLDERS = ["namespace", "name", "kind", "cluster", "uid"];
var BRACED = /\{([^{}]*)\}/g;
var LinkTemplate = external_exports.string().superRefine((template, context2) => {
  for (const [braced, name = ""] of template.matchAll(BRACED)) {
    if (isPlaceholder(name)) continue;
    const known = PLACEHOLDERS.map((placeholder) => `{${placeholder}}`).join(", ");
    context2.addIssue({ code: "custom", message: `${braced} is unknown; known are ${known} (a brace itself is %7B)` });
  }
  const filled = HttpUrl.safeParse(template.replace(BRACED, "x"));
  if (!filled.success)
    context2.addIssue({ code: "custom", message: filled.error.issues[0]?.message ?? "expected a URL" });
});
function fillLink(template, event) {
  const values = {
    namespace: event.namespace ?? "",
    name: event.name,
    kind: event.kind,
    cluster: event.cluster,
    uid: event.data.object.metadata.uid
  };
  return template.replace(
    BRACED,
    (braced, name) => isPlaceholder(name) ? encodeURIComponent(values[name].toWellFormed()) : braced
  );
}
function isPlaceholder(name) {
  return PLACEHOLDERS.includes(name);
}

// functions/actions/slack.ts
var API_URL = "https://slack.com/api";
var NEW_WEBHOOK = "create a new incoming webhook for the channel and put its URL into the secret";
var NEW_TOKEN = "install the app again (OAuth & Permissions) and put its bot token, xoxb-\u2026, into the secret";
var UNARCHIVE = "unarchive the channel, or choose another one";
var ADMIN = "ask an administrator of the workspace to allow it, or choose another channel";
var REPORT = "this is a bug of cr-reactor, please report it with the kind of the object";
var WEBHOOK_REFUSALS = /* @__PURE__ */ new Map([
  ["invalid_payload", REPORT],
  ["invalid_blocks", REPORT],
  ["msg_blocks_too_long", REPORT],
  ["no_text", REPORT],
  ["user_not_found", NEW_WEBHOOK],
  ["invalid_token", NEW_WEBHOOK],
  ["no_active_hooks", NEW_WEBHOOK],
  ["no_service", `the webhook was revoked or its URL is not whole: ${NEW_WEBHOOK}`],
  ["no_service_id", `the webhook's URL is not whole: ${NEW_WEBHOOK}`],
  ["no_team", `the workspace does not exist any more, or the URL is not whole: ${NEW_WEBHOOK}`],
  ["team_disabled", "the workspace is disabled: use another one"],
  ["channel_not_found", `the webhook's channel does not exist any more: ${NEW_WEBHOOK}`],
  ["channel_is_archived", UNARCHIVE],
  ["action_prohibited", ADMIN],
  ["posting_to_general_channel_denied", ADMIN]
]);
var BOT_REFUSALS = /* @__PURE__ */ new Map([
  ["invalid_auth", `the token is wrong, or this address is not allowed: ${NEW_TOKEN}`],
  ["not_authed", `no token arrived: ${NEW_TOKEN}`],
  ["token_revoked", NEW_TOKEN],
  ["token_expired", NEW_TOKEN],
  ["account_inactive", `the app was removed from the workspace: ${NEW_TOKEN}`],
  [
    "channel_not_found",
    "check the channel's name or id; a private channel shows itself only once the bot is in it: /invite @<the bot>"
  ],
  [
    "not_in_channel",
    "write /invite @<the bot> in the channel, or add the scope chat:write.public and install the app again"
  ],
  ["is_archived", UNARCHIVE],
  ["missing_scope", "add the scope chat:write to the app (OAuth & Permissions) and install it again"],
  ["restricted_action", ADMIN],
  ["ekm_access_denied", ADMIN],
  ["team_access_not_granted", ADMIN],
  ["no_permission", ADMIN],
  ["msg_too_long", REPORT],
  ["msg_blocks_too_long", REPORT],
  ["invalid_blocks", REPORT],
  ["invalid_blocks_format", REPORT],
  ["no_text", REPORT]
]);
var BOT_TROUBLES = /* @__PURE__ */ new Set([
  "ratelimited",
  "rate_limited",
  "message_limit_exceeded",
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
  "team_added_to_org"
]);
var BotAnswer = external_exports.discriminatedUnion("ok", [
  external_exports.object({ ok: external_exports.literal(true), channel: external_exports.string().optional(), ts: external_exports.string().optional() }),
  external_exports.object({ ok: external_exports.literal(false), error: external_exports.string().optional(), needed: external_exports.string().optional() })
]);
async function postSlackMessage(target, message, options = {}) {
  switch (target.type) {
    case "webhook":
      return postToWebhook(target.url, message, options);
    case "bot":
      return postAsBot(target, message, options);
    default:
      return target;
  }
}
async function postToWebhook(url, message, options) {
  await httpRequest({
    ...options,
    url,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(content(message)),
    explain: (status, text) => {
      const word2 = text.trim();
      const step = WEBHOOK_REFUSALS.get(word2);
      return step && `Slack refused the message (${word2}, HTTP ${status}): ${step}`;
    }
  });
  return { type: "webhook" };
}
async function postAsBot(target, message, options) {
  const response = await httpRequest({
    ...options,
    url: `${(target.apiUrl ?? API_URL).replace(/\/+$/, "")}/chat.postMessage`,
    method: "POST",
    headers: { authorization: `Bearer ${target.token}`, "content-type": "application/json; charset=utf-8" },
    body: JSON.stringify({ channel: target.channel, ...content(message) })
  });
  const answer = BotAnswer.safeParse(parseJson(response.text));
  if (!answer.success) {
    throw new Error(
      "the answer to chat.postMessage is not one of Slack's: check slackApiUrl, and what proxies stand between"
    );
  }
  if (answer.data.ok) {
    return { type: "bot", channel: answer.data.channel ?? target.channel, ts: answer.data.ts ?? null };
  }
  throw botRefusal(answer.data, response, (options.now ?? Date.now)());
}
function content(message) {
  return { text: message.text, blocks: message.blocks, unfurl_links: false, unfurl_media: false };
}
function botRefusal(answer, response, nowMs) {
  const error = word(answer.error) ?? "an error without a name";
  if (BOT_TROUBLES.has(error)) {
    const afterMs = retryAfterMs(response.headers, nowMs);
    const sentence = `Slack cannot take the message now (${error})`;
    return afterMs === void 0 ? new Error(sentence) : new RetryAfterError(sentence, afterMs);
  }
  const needed = word(answer.needed);
  const step = BOT_REFUSALS.get(error) ?? "docs.slack.dev/reference/methods/chat.postMessage says what it means";
  return new PermanentError(`Slack refused the message (${error}${needed ? `, needs ${needed}` : ""}): ${step}`);
}
function word(text) {
  return text !== void 0 && /^[a-z][a-z_:.,]{0,99}$/.test(text) ? text : void 0;
}
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}

// functions/actions/changed-field.ts
var VALUE_CHARS_MAX = 120;
var SHARED_CHARS = 20;
var KEYS_SHOWN = 5;
var PLAIN_KEY = /^[A-Za-z0-9_$-]+$/;
var LIST_POSITION = /^\d+$/;
function readingOrder(patch) {
  return patch.flatMap(opened).toSorted((a, b) => rank(a) - rank(b));
}
function changedField(operation) {
  const path = dottedPath(segmentsOf(operation));
  switch (operation.op) {
    case "add":
      return { path, from: null, to: shownValue(operation.value) };
    case "remove":
      return { path, from: shownValue(operation.oldValue), to: null };
    case "replace":
      return { path, ...shownPair(operation.oldValue, operation.value) };
    default:
      return operation;
  }
}
function segmentsOf(operation) {
  return operation.path === "" ? [] : parseFieldPath(operation.path);
}
function opened(operation) {
  const segments = segmentsOf(operation);
  if (operation.op === "replace" || segments.length !== 1) return [operation];
  const value = operation.op === "add" ? operation.value : operation.oldValue;
  if (!isMap(value)) return [operation];
  return Object.entries(value).map(([key, field]) => {
    const path = toPointer([...segments, key]);
    return operation.op === "add" ? { op: "add", path, value: field } : { op: "remove", path, oldValue: field };
  });
}
function rank(operation) {
  const part = segmentsOf(operation)[0];
  return part === "status" ? 2 : part === "metadata" ? 1 : 0;
}
function dottedPath(segments) {
  if (segments.length === 0) return "(everything)";
  let path = "";
  for (const key of segments) {
    if (LIST_POSITION.test(key)) path += `[${key}]`;
    else if (PLAIN_KEY.test(key)) path += path === "" ? key : `.${key}`;
    else path += `["${key.replace(/["\\]/g, "\\$&")}"]`;
  }
  return path;
}
function shownPair(before, after) {
  if (typeof before === "string" && typeof after === "string") return textPair(before, after);
  const [from, to] = [shownValue(before), shownValue(after)];
  if (from === to) return { from: clipped(JSON.stringify(before), 0), to: clipped(JSON.stringify(after), 0) };
  return { from, to };
}
function textPair(before, after) {
  if (Math.max(before.length, after.length) <= VALUE_CHARS_MAX)
    return { from: shownText(before), to: shownText(after) };
  let shared = 0;
  while (shared < before.length && before[shared] === after[shared]) shared++;
  const start = shared > VALUE_CHARS_MAX - SHARED_CHARS ? shared - SHARED_CHARS : 0;
  return { from: shownText(clipped(before, start)), to: shownText(clipped(after, start)) };
}
function shownValue(value) {
  if (typeof value === "string") return clipped(shownText(value), 0);
  if (value === null || typeof value !== "object") return String(value);
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (size <= KEYS_SHOWN) {
    const json = JSON.stringify(value);
    if (json.length <= VALUE_CHARS_MAX) return json;
  }
  if (Array.isArray(value)) return `[${size} ${size === 1 ? "item" : "items"}]`;
  const keys = Object.keys(value).slice(0, KEYS_SHOWN).map((key) => clipped(key, 0, 20));
  return `{${keys.join(", ")}${size > KEYS_SHOWN ? `, \u2026 ${size} fields` : ""}}`;
}
function shownText(text) {
  return text === "" || text !== text.trim() ? JSON.stringify(text) : text;
}
function clipped(text, start, charsMax = VALUE_CHARS_MAX) {
  const end = start + charsMax;
  return `${start > 0 ? "\u2026" : ""}${text.slice(start, end)}${text.length > end ? "\u2026" : ""}`.toWellFormed();
}
function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// functions/actions/change-summary.ts
function summarise(event, fieldsMax) {
  const { data: change } = event;
  const operations = readingOrder(change.patch ?? []);
  const conditions = Object.entries(change.transitions.conditions ?? {}).map(([type, moved]) => ({ type, ...moved }));
  const phaseCondition = conditionThatIsThePhase(change, conditions);
  const told = toldElsewhere(event);
  const rest = operations.filter((operation) => !told(operation));
  return {
    kind: event.kind,
    object: event.namespace ? `${event.namespace}/${event.name}` : event.name,
    state: stateOf(event, phaseCondition),
    phase: phaseCondition === void 0 ? phaseOf(event) : null,
    conditions,
    message: newMessage(event, operations, conditions),
    fields: rest.slice(0, fieldsMax).map(changedField),
    fieldsMore: Math.max(0, rest.length - fieldsMax)
  };
}
function moveInWords(from, to) {
  return from === null ? to ?? "none" : `${from} \u2192 ${to ?? "none"}`;
}
function stateOf(event, phaseCondition) {
  const moved = event.data.transitions.phase;
  const name = phaseCondition === void 0 ? "" : `${phaseCondition} `;
  const op = opOf(event);
  switch (op) {
    case "created":
      return moved ? `created, ${name}${moveInWords(null, moved.to)}` : "created";
    case "updated":
      return moved ? `${name}${moveInWords(moved.from, moved.to)}` : "changed";
    case "deleted":
      return "deleted";
    case "existing":
      return event.phase ? `found, ${event.phase}` : "found";
    case "unselected":
      return "no longer selected";
    default:
      return op;
  }
}
function phaseOf(event) {
  const moved = event.data.transitions.phase;
  if (moved) return { type: "moved", from: moved.from, to: moved.to, heldSeconds: moved.heldSeconds };
  if (event.phase === void 0 || event.phasesince === void 0) return null;
  return { type: "holds", name: event.phase, since: event.phasesince };
}
function conditionThatIsThePhase(change, conditions) {
  const moved = change.transitions.phase;
  if (!moved || valueAt(change.object, ["status", "phase"]) === moved.to) return void 0;
  return conditions.find(({ from, to }) => from === moved.from && to === moved.to)?.type;
}
function newMessage(event, operations, conditions) {
  const known = new Set(conditions.flatMap(({ reason, message }) => [reason, message]));
  const texts = ["reason", "message"].flatMap((key) => {
    const text = valueAt(event.data.object, ["status", key]);
    const isNew = opOf(event) === "created" || operations.some(({ path }) => path === `/status/${key}`);
    return isNew && typeof text === "string" && text !== "" && !known.has(text) ? [text] : [];
  });
  return texts.length > 0 ? texts.join(": ") : null;
}
function toldElsewhere(event) {
  const { transitions, object } = event.data;
  const moved = transitions.conditions ?? {};
  const isTold = (condition) => {
    const type = valueAt(condition, ["type"]);
    return typeof type === "string" && Object.hasOwn(moved, type);
  };
  return (operation) => {
    const [part, key, position, ...deeper] = segmentsOf(operation);
    if (part !== "status") return false;
    if (position === void 0 && transitions.phase && isMove(operation, transitions.phase)) return true;
    if (key === "message" || key === "reason") {
      return operation.op !== "remove" && typeof operation.value === "string" && operation.value !== "";
    }
    if (key !== "conditions") return false;
    const value = operation.op === "remove" ? operation.oldValue : operation.value;
    if (position === void 0) return Array.isArray(value) && value.every(isTold);
    if (deeper.length === 0) return isTold(value);
    return isTold(valueAt(object, ["status", "conditions", position]));
  };
}
function isMove(operation, moved) {
  const from = operation.op === "add" ? null : operation.oldValue;
  const to = operation.op === "remove" ? null : operation.value;
  return from === moved.from && to === moved.to;
}

// functions/actions/duration.ts
var UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1]
];
function durationInWords(seconds) {
  const largest = UNITS.findIndex(([, size]) => seconds >= size);
  if (largest < 0) return "less than 1 s";
  let rest = seconds;
  const words = [];
  for (const [name, size] of UNITS.slice(largest, largest + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) words.push(`${count} ${name}`);
  }
  return words.join(" ");
}

// functions/actions/slack-block.ts
var SLACK_LIMITS = {
  /** Blocks of a message. */
  blocksMax: 50,
  /** A text object of a section or a context; longer is `invalid_blocks`. */
  textCharsMax: 3e3,
  /** A header's text. */
  headerCharsMax: 150,
  /** The fallback text: cut by Slack at 40,000, refused from about 4,000 on as `msg_too_long` by some methods. */
  fallbackCharsMax: 3900,
  /** All text of a message: undocumented; `msg_blocks_too_long` was seen from 11,300 on (slackapi/bolt-js issues 2509, 2867). */
  messageCharsMax: 9e3
};
var ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
var UNPRINTABLE = /(?![\t\n])[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu;
var HALF_AT_THE_END = /[\uD800-\uDBFF]$|&[a-z]*$/;
function header(text) {
  return { type: "header", text: { type: "plain_text", text: cut(text, SLACK_LIMITS.headerCharsMax), emoji: false } };
}
function section(text) {
  return { type: "section", text: { type: "mrkdwn", text, verbatim: true } };
}
function context(text) {
  return { type: "context", elements: [{ type: "mrkdwn", text, verbatim: true }] };
}
function escapeMrkdwn(text, charsMax) {
  const printable = text.toWellFormed().replaceAll("\r\n", "\n").replace(UNPRINTABLE, "\uFFFD");
  return cut(
    printable.replace(/[&<>]/g, (character) => ENTITIES[character] ?? character),
    charsMax
  );
}
function codeSpan(text, charsMax) {
  const line = text.replaceAll("`", "'").replace(/\r?\n/g, "\u23CE");
  return `\`${escapeMrkdwn(line, charsMax - 2)}\``;
}
function slackDate(time) {
  const at = new Date(time);
  const utc = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return `<!date^${Math.floor(at.getTime() / 1e3)}^{date_short_pretty} {time_secs}|${utc}>`;
}
function slackLink(url, text) {
  const target = escapeMrkdwn(url.replaceAll("|", "%7C"), Number.MAX_SAFE_INTEGER);
  return `<${target}|${escapeMrkdwn(text.replaceAll("\n", " "), SLACK_LIMITS.headerCharsMax)}>`;
}
function cut(text, charsMax) {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).replace(HALF_AT_THE_END, "")}\u2026`;
}

// functions/actions/slack-message.ts
var STATE_CHARS_MAX = 60;
var MESSAGE_CHARS_MAX = 600;
var MESSAGE_LINES_MAX = 6;
var CONDITIONS_MAX = 6;
var SPAN_CHARS_MAX = 300;
var LINK_CHARS_MAX = 1500;
var FRAME_CHARS = 800;
var FALLBACK_FIELDS = 3;
var FALLBACK_TABLE_CHARS_MAX = 2e3;
function slackMessage(event, options) {
  const summary = summarise(event, options.fieldsMax);
  const { headline, isWhole } = headlineOf(summary);
  const facts = [
    ...options.title ? [`*${headline}*`] : [],
    ...isWhole ? [] : [`*${escapeMrkdwn(summary.kind, STATE_CHARS_MAX * 2)}* ${codeSpan(summary.object, SPAN_CHARS_MAX * 2)}`],
    ...summary.phase ? [phaseLine(summary.phase)] : [],
    ...summary.message ? [quoted(summary.message)] : [],
    ...conditionLines(summary.conditions)
  ];
  const link = options.link ? linkLine(options.link) : [];
  const room = SLACK_LIMITS.messageCharsMax - FRAME_CHARS - lengthOf([...facts, ...link]);
  const title = options.title && escapeMrkdwn(options.title, SLACK_LIMITS.headerCharsMax);
  return {
    text: fallback(summary, title ? `${title}: ${headline}` : headline),
    blocks: [
      header(title || headline),
      ...paragraphs(facts),
      ...paragraphs(fieldLines(summary, room)),
      ...paragraphs(link),
      context(originLine(event)),
      ...event.data.gap ? [context(":warning: some intermediate states may be missing")] : []
    ]
  };
}
function headlineOf(summary) {
  const state = escapeMrkdwn(summary.state, STATE_CHARS_MAX);
  const whole = escapeMrkdwn(`${summary.kind} ${summary.object}`, Number.MAX_SAFE_INTEGER);
  const object = escapeMrkdwn(`${summary.kind} ${summary.object}`, SLACK_LIMITS.headerCharsMax - state.length - 2);
  return { headline: `${object}: ${state}`.replaceAll("\n", " "), isWhole: object === whole };
}
function phaseLine(phase) {
  switch (phase.type) {
    case "moved":
      return `*Phase* ${move(phase)}${held(phase)}`;
    case "holds":
      return `*Phase* ${codeSpan(phase.name, STATE_CHARS_MAX)} since ${slackDate(phase.since)}`;
    default:
      return phase;
  }
}
function conditionLines(conditions) {
  const lines = conditions.slice(0, CONDITIONS_MAX).map((condition) => {
    const type = escapeMrkdwn(condition.type, STATE_CHARS_MAX);
    const reason = condition.reason ? ` \xB7 ${escapeMrkdwn(condition.reason, STATE_CHARS_MAX * 2)}` : "";
    const message = condition.message ? `
${quoted(condition.message)}` : "";
    return `*${type}* ${move(condition)}${held(condition)}${reason}${message}`;
  });
  const more = conditions.length - lines.length;
  return more > 0 ? [...lines, `\u2026and ${more} more conditions`] : lines;
}
function move({ from, to }) {
  const now = to === null ? "none" : codeSpan(to, STATE_CHARS_MAX);
  return from === null ? now : `${codeSpan(from, STATE_CHARS_MAX)} \u2192 ${now}`;
}
function held({ from, heldSeconds }) {
  return from === null || heldSeconds === null ? "" : ` after ${durationInWords(heldSeconds)}`;
}
function quoted(message) {
  const lines = escapeMrkdwn(message.trim(), MESSAGE_CHARS_MAX).split("\n");
  const shown = lines.slice(0, MESSAGE_LINES_MAX).map((line) => `> ${line}`);
  return [...shown, ...lines.length > MESSAGE_LINES_MAX ? ["> \u2026"] : []].join("\n");
}
function fieldLines(summary, charsMax) {
  if (summary.fields.length + summary.fieldsMore === 0) return [];
  const lines = [];
  let room = charsMax;
  for (const field of summary.fields) {
    const line = fieldLine(field);
    room -= line.length + 1;
    if (room < 0) break;
    lines.push(line);
  }
  const more = summary.fields.length - lines.length + summary.fieldsMore;
  if (more > 0) lines.push(lines.length === 0 ? `${more} fields changed` : `\u2026and ${more} more`);
  return lines;
}
function fieldLine({ path, from, to }) {
  const name = codeSpan(path, SPAN_CHARS_MAX);
  if (from === null) return `\u2022 ${name} set to ${codeSpan(to ?? "", SPAN_CHARS_MAX)}`;
  if (to === null) return `\u2022 ${name} removed, was ${codeSpan(from, SPAN_CHARS_MAX)}`;
  return `\u2022 ${name} ${codeSpan(from, SPAN_CHARS_MAX)} \u2192 ${codeSpan(to, SPAN_CHARS_MAX)}`;
}
function linkLine({ url, text }) {
  const link = slackLink(url, text);
  return link.length <= LINK_CHARS_MAX ? [link] : [];
}
function originLine(event) {
  const manager = event.manager ?? event.data.actor?.manager;
  return [
    ...manager ? [`by ${codeSpan(manager, STATE_CHARS_MAX * 2)}`] : [],
    `cluster ${codeSpan(event.cluster, STATE_CHARS_MAX * 2)}`,
    slackDate(event.time)
  ].join(" \xB7 ");
}
function paragraphs(lines) {
  const texts = [];
  for (const line of lines) {
    const last = texts.at(-1);
    if (last !== void 0 && last.length + 1 + line.length <= SLACK_LIMITS.textCharsMax) {
      texts[texts.length - 1] = `${last}
${line}`;
    } else {
      texts.push(line);
    }
  }
  return texts.map(section);
}
function lengthOf(lines) {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
function fallback(summary, headline) {
  const { phase } = summary;
  const message = summary.message ?? summary.conditions.find((condition) => condition.message)?.message;
  const fields = summary.fields.slice(0, FALLBACK_FIELDS).map((field) => `${field.path} ${moveInWords(field.from, field.to)}`);
  const more = summary.fields.length - fields.length + summary.fieldsMore;
  const moved = phase?.type === "moved" ? held(phase) : "";
  const table = fields.length === 0 ? "" : fields.join(", ") + (more > 0 ? `, and ${more} more` : "");
  const details = [escapeMrkdwn(message ?? "", MESSAGE_CHARS_MAX), escapeMrkdwn(table, FALLBACK_TABLE_CHARS_MAX)];
  return [`${headline}${moved}`, ...details.filter((detail) => detail !== "")].join(" \xB7 ").replaceAll("\n", " ");
}

// functions/notify-slack.ts
var FIELDS_MAX = 50;
var Config = external_exports.strictObject({
  /** The URL of an incoming webhook, which is bound to its channel. */
  webhookUrl: SecretSource.optional(),
  /** A bot's token, `xoxb-…`, with the scope `chat:write`; it needs `channel`. */
  botToken: SecretSource.optional(),
  /** An id (C0123456789) or a name (#ops). */
  channel: external_exports.string().min(1).optional(),
  /** Where a bot's calls go, if not to slack.com: GovSlack, or a test. */
  slackApiUrl: HttpUrl.optional(),
  /** Plain text on top of the message. */
  title: external_exports.string().min(1).optional(),
  /** A link about the object; its URL may name {namespace}, {name}, {kind}, {cluster} and {uid}. */
  link: external_exports.strictObject({ text: external_exports.string().min(1), url: LinkTemplate }).optional(),
  /** Changed fields that are listed; the rest is counted. */
  fieldsMax: external_exports.int().min(0).max(FIELDS_MAX).default(10)
}).superRefine((config, context2) => {
  const problem = targetProblem(config);
  if (problem) context2.addIssue({ code: "custom", message: problem });
});
var notify_slack_default = defineFunction({
  name: "notify-slack",
  description: "Posts a message about the change to a Slack channel.",
  config: Config,
  async run({ event, config, signal }) {
    const link = config.link && { text: config.link.text, url: fillLink(config.link.url, event) };
    const message = slackMessage(event, { title: config.title, link, fieldsMax: config.fieldsMax });
    const receipt = await postSlackMessage(targetOf(config), message, { signal });
    return receipt.type === "bot" ? `posted to ${receipt.channel}, ts ${receipt.ts}` : "posted through the webhook";
  }
});
function targetProblem({ webhookUrl, botToken, channel, slackApiUrl }) {
  if (webhookUrl && botToken) return "webhookUrl and botToken are two ways to post: keep one";
  if (webhookUrl && channel)
    return "an incoming webhook posts to the channel it was made for: leave channel out, or use botToken";
  if (webhookUrl && slackApiUrl) return "slackApiUrl is for a botToken: leave it out";
  if (botToken && !channel) return "a botToken needs a channel, such as #ops";
  if (!webhookUrl && !botToken) return "set webhookUrl, or botToken and channel";
  return void 0;
}
function targetOf(config) {
  if (config.webhookUrl) return { type: "webhook", url: readSecret(config.webhookUrl) };
  if (config.botToken && config.channel) {
    const apiUrl = config.slackApiUrl;
    return { type: "bot", token: readSecret(config.botToken), channel: config.channel, ...apiUrl && { apiUrl } };
  }
  throw new Error(targetProblem(config));
}
export {
  notify_slack_default as default
};
