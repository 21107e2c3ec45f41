/**
 * The public door of the npm package: what a function of one's own needs, and nothing that only runs functions. `import { … } from
 * "cr-reactor"` is this file; what is exported here changes by semver.
 */
export {
  all,
  any,
  type Change,
  created,
  defineFunction,
  deleted,
  type Envelope,
  Filter,
  type FunctionContext,
  type FunctionDefinition,
  field,
  type Json,
  type KubeObject,
  type Logger,
  labels,
  namespaces,
  not,
  PermanentError,
  phase,
  RetryAfterError,
  readSecret,
  SecretError,
  SecretSource,
  type Selection,
} from "#kit";
