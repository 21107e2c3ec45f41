/**
 * The kit's door: what functions, and the commands that run them, import as `#kit`.
 */
export type { Change, Envelope, Json, KubeObject, Logger, Op } from "#contract";
export { FieldPath, opOf, parseFieldPath, readSecret, SecretError, SecretSource, valueAt } from "#contract";
export { defineFunction, type FunctionContext, type FunctionDefinition } from "./define.ts";
export { type Backlog, backlogOfPartitions } from "./delivery/backlog.ts";
export { DeadLetter, readDeadLetter } from "./delivery/dead-letter.ts";
export {
  dropLetter,
  ensureRetries,
  eventOf,
  findLetter,
  isRetryDeskOpen,
  orderedRetries,
  orderRetry,
  readLetters,
  type StoredLetter,
  type WholeLetter,
} from "./delivery/dead-letter-box.ts";
export {
  cancelReplays,
  handledBy,
  isRunName,
  orderReplay,
  type PastEvent,
  type Replay,
  waitingReplays,
} from "./delivery/replay.ts";
export {
  type RunningSubscription,
  type SubscriptionState,
  type SubscriptionStatus,
  subscribe,
} from "./delivery/subscribe.ts";
export { type SurveyedSubscription, surveySubscriptions } from "./delivery/survey.ts";
export {
  all,
  annotations,
  any,
  cel,
  condition,
  created,
  deleted,
  diverged,
  exact,
  field,
  labels,
  manager,
  names,
  namespaces,
  not,
  op,
  ownedBy,
  phase,
  prefix,
  sql,
  suffix,
  terminating,
} from "./filter/builder.ts";
export type { Explanation } from "./filter/clause.ts";
export { Filter, Selection, selectionIn } from "./filter/filter.ts";
export { compileFilter, explainMatch, isMatch, type Matcher, type MatchResult } from "./filter/match.ts";
export { type Plan, planSelection } from "./filter/plan.ts";
export { shownTimes } from "./filter/time.ts";
export type { Incident } from "./incident/incident.ts";
export { type KeptIncidents, keptIncidents } from "./incident/kept-incident.ts";
export type { KubeRight, ToldKind } from "./kube-right.ts";
export { type Outcome, PermanentError, RetryAfterError } from "./outcome.ts";
export { createMembership, type Membership } from "./ownership/membership.ts";
export { consumerName } from "./ownership/partition.ts";
export { readSubscription, type StoredSubscription, subscriptionNames } from "./ownership/stored-subscription.ts";
export { type RunningCall, runningCall } from "./running-call.ts";
export { checkSelection, type Mistake, schemasOf } from "./schema/check.ts";
export { defineKind, type Kind } from "./schema/kind.ts";
export { type KindPattern, type KindSchemas, readKindSchemas } from "./schema/schema-bucket.ts";
export { patternOf, type SchemaWatch, watchSchemas } from "./schema/schema-watch.ts";
export { compileSetting, compileSilence } from "./silence/compiled-silence.ts";
export { countHeldBack, type HeldBackCount } from "./silence/held-back-survey.ts";
export { Silence, SilenceSetting, SilenceWish } from "./silence/silence.ts";
export {
  addSilence,
  endSilence,
  findSilence,
  noSilence,
  readSilences,
  SilenceError,
  type StoredSilence,
} from "./silence/silence-bucket.ts";
export { watchSilences } from "./silence/silence-watch.ts";
export { type KeptStep, type KnownStep, keptSteps, knownSteps } from "./step/kept-step.ts";
export { createProcessMemory } from "./step/process-memory.ts";
export type { Step, StepCall, StepResult } from "./step/step.ts";
export type { StepMemory } from "./step/step-memory.ts";
export {
  type Binding,
  bind,
  ownSubscription,
  parseSubscriptions,
  Subscription,
  SubscriptionError,
  SubscriptionsFile,
} from "./subscription.ts";
export { type TimerBacklog, timersOfPartitions } from "./timer/timer-backlog.ts";
export { asPart, type Part, traceHeaders } from "./trace/call-trace.ts";
