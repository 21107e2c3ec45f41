/**
 * Paths into an object as types: whether `spec.containers[0].image` leads anywhere, and to what. A path is followed step by step, so what
 * it costs the compiler grows with its own length and not with the number of paths that a large kind has; a wrong one is answered
 * with the right names at the place where it goes wrong, which editors offer for completion.
 */

/** `[first key, the rest]` of what is left of a path; the rest begins with `.` or `[`. */
type Step<Path extends string> = Path extends `["${infer Key}"]${infer Rest}`
  ? [Key, Rest]
  : Path extends `['${infer Key}']${infer Rest}`
    ? [Key, Rest]
    : Path extends `[${infer Key}]${infer Rest}`
      ? [Key, Rest]
      : Path extends `.${infer Rest}`
        ? PlainStep<Rest>
        : never;

type PlainStep<Path extends string> = Path extends `${infer Head}.${infer Tail}`
  ? Head extends `${infer Key}[${infer Index}`
    ? [Key, `[${Index}.${Tail}`]
    : [Head, `.${Tail}`]
  : Path extends `${infer Key}[${infer Index}`
    ? [Key, `[${Index}`]
    : [Path, ""];

/** The first key stands without a point. */
type Rooted<Path extends string> = Path extends `[${string}` ? Path : `.${Path}`;

/** What stands below one key: of each part of a union that has it. */
type Below<Value, Key extends string> = unknown extends Value
  ? unknown
  : Value extends readonly (infer Element)[]
    ? Key extends `${number}`
      ? Element
      : never
    : Value extends object
      ? Key extends keyof Value
        ? Value[Key]
        : never
      : never;

type Keys<Value> = Value extends readonly unknown[]
  ? never
  : Value extends object
    ? Extract<keyof Value, string>
    : never;

/** The ways on from a place, written as people write them. */
type Suggestion<Value, Done extends string> =
  | (Value extends readonly unknown[] ? `${Done}[0]` : never)
  | (Keys<Value> extends infer Key extends string
      ? string extends Key
        ? `${Done}["${string}"]`
        : Key extends `${string}.${string}` | `${string}/${string}`
          ? `${Done}["${Key}"]`
          : Done extends ""
            ? Key
            : `${Done}.${Key}`
      : never);

type Joined<Done extends string, Key extends string> = Done extends ""
  ? Key
  : Key extends `${number}`
    ? `${Done}[${Key}]`
    : Key extends `${string}.${string}` | `${string}/${string}`
      ? `${Done}["${Key}"]`
      : `${Done}.${Key}`;

type Followed<Value, Left extends string, Done extends string, Path extends string> = unknown extends Value
  ? Path
  : Left extends ""
    ? Path
    : Step<Left> extends [infer Key extends string, infer Rest extends string]
      ? [Below<NonNullable<Value>, Key>] extends [never]
        ? Suggestion<NonNullable<Value>, Done>
        : Followed<Below<NonNullable<Value>, Key>, Rest, Joined<Done, Key>, Path>
      : Suggestion<NonNullable<Value>, Done>;

/** The path itself where it leads to something; else the paths that do, as far as they go the same way. */
export type PathIn<Value, Path extends string> = string extends Path
  ? Suggestion<Value, "">
  : Followed<Value, Rooted<Path>, "", Path>;

type ValueBelow<Value, Left extends string> = unknown extends Value
  ? unknown
  : Left extends ""
    ? Value
    : Step<Left> extends [infer Key extends string, infer Rest extends string]
      ? ValueBelow<Below<NonNullable<Value>, Key>, Rest>
      : never;

/** What stands at a path, when something does. */
export type ValueIn<Value, Path extends string> = string extends Path
  ? unknown
  : Exclude<ValueBelow<Value, Rooted<Path>>, undefined>;
