export { defineFunction, type FunctionContext, phase, PermanentError, readSecret, SecretSource } from "#kit";
