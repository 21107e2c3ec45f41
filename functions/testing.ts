/**
 * The public door for tests of functions: `import { testFunction } from "cr-reactor/testing"`. What runs in production does not load it.
 */
export type { FixtureObject } from "../bridge/fixture.ts";
export type { TestResult } from "./kit/testing/rehearsal.ts";
export {
  type FunctionTest,
  type TestFunctionOptions,
  testFunction,
} from "./kit/testing/test-function.ts";
export type { TestedStep } from "./kit/testing/tested-step.ts";
