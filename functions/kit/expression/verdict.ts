/**
 * What an expression says of one event: a value, or why it has none. A filter takes `failed` as "does not match".
 */

/** `reason` is one sentence that quotes no value of the event, because values may be secret. */
export type Verdict<Value = boolean> =
  | { readonly type: "value"; readonly value: Value }
  | { readonly type: "failed"; readonly reason: string };
