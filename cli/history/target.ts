/** The object of which a command speaks: `Database/prod/orders`, `Node/one`, or `Database orders -n prod`. */

/** Which object; a namespace that is left out may be any. */
export interface Target {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** Answers the object, or the sentence that says what is wrong. */
export function targetIn(text: string, name: string | undefined, namespace: string | undefined): Target | string {
  const parts = text.split("/");
  if (parts.some((part) => part === "")) return `"${text}" is no object: say Database/prod/orders`;
  const [kind = "", second, third] = parts;
  if (parts.length > 3) return `"${text}" has too many parts: say kind/namespace/name, such as Database/prod/orders`;
  if (name !== undefined && parts.length > 1) return `"${text} ${name}" names the object twice`;
  if (third !== undefined && namespace !== undefined && namespace !== second)
    return `"${text}" is in ${second}, and --namespace says ${namespace}`;
  const own = name ?? third ?? second;
  if (own === undefined) return `"${text}" is a kind alone: say which object, such as ${kind}/prod/orders`;
  const where = third === undefined ? namespace : second;
  return { kind, name: own, ...(where !== undefined && { namespace: where }) };
}
