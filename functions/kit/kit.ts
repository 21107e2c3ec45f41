/**
 * The kit's door: what functions, and the commands that run them, import as `#kit`.
 */
export type { Change, Envelope, Json, KubeObject, Logger } from "#contract";
export { FieldPath, opOf, parseFieldPath, readSecret, SecretError, SecretSource, valueAt } from "#contract";
export { DeadLetter, readDeadLetter } from "./dead-letter.ts";
export { defineFunction, type FunctionContext, type FunctionDefinition } from "./define.ts";
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
} from "./filter.ts";
export { matches, matchesSelection } from "./match.ts";
export { type Outcome, PermanentError, RetryAfterError } from "./outcome.ts";
export { type Plan, planSubjects } from "./plan.ts";
export { type RunningSubscription, type SubscriptionState, type SubscriptionStatus, subscribe } from "./subscribe.ts";
export {
  type Binding,
  bind,
  ownSubscription,
  parseSubscriptions,
  Subscription,
  SubscriptionError,
  SubscriptionsFile,
} from "./subscription.ts";
