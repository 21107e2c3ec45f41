/**
 * The kit's door: what functions, and the commands that run them, import as `#kit`.
 */
export type { Change, Envelope, Json, KubeObject, Logger, Op } from "#contract";
export { FieldPath, opOf, parseFieldPath, readSecret, SecretError, SecretSource, valueAt } from "#contract";
export { defineFunction, type FunctionContext, type FunctionDefinition } from "./define.ts";
export { DeadLetter, readDeadLetter } from "./delivery/dead-letter.ts";
export {
  type RunningSubscription,
  type SubscriptionState,
  type SubscriptionStatus,
  subscribe,
} from "./delivery/subscribe.ts";
export {
  all,
  any,
  created,
  deleted,
  Filter,
  field,
  labels,
  namespaces,
  not,
  phase,
  Selection,
} from "./filter/filter.ts";
export { matches, matchesSelection } from "./filter/match.ts";
export { type Plan, planSubjects } from "./filter/plan.ts";
export { type Outcome, PermanentError, RetryAfterError } from "./outcome.ts";
export {
  type Binding,
  bind,
  ownSubscription,
  parseSubscriptions,
  Subscription,
  SubscriptionError,
  SubscriptionsFile,
} from "./subscription.ts";
