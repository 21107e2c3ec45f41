/**
 * What a label's key and value may look like, and how the API server says that one does not: the same sentences wherever labels
 * are written or selected. Keys of annotations and finalizers follow the rule of label keys, names of objects that of their prefixes.
 * Source: apimachinery `pkg/api/validate/content` (IsLabelKey), `pkg/util/validation` (IsValidLabelValue).
 */
const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
/** A DNS subdomain in lower case (RFC 1123), as names of objects and groups are. */
export const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_BYTES_MAX = 63;
/** The limit of a DNS name. */
const PREFIX_BYTES_MAX = 253;

const ALPHANUMERIC = "and must start and end with an alphanumeric character";
const NAME_EXAMPLES =
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const NAME_CHARACTERS = `must consist of alphanumeric characters, '-', '_' or '.', ${ALPHANUMERIC} ${NAME_EXAMPLES}`;
/** What the API server says of a text that is none. */
export const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${ALPHANUMERIC} (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
const VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${ALPHANUMERIC} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;

/** What is wrong with a key, one sentence each; none when nothing is. */
export function labelKeyProblems(key: string): readonly string[] {
  const parts = key.split("/");
  if (parts.length > 2)
    return [
      `a valid label key ${NAME_CHARACTERS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const [name = "", prefix] = parts.toReversed();
  return [
    ...(prefix === undefined ? [] : prefixProblems(prefix)),
    ...(name === "" ? ["name part must be non-empty"] : []),
    ...(bytesOf(name) > NAME_BYTES_MAX ? [`name part must be no more than ${NAME_BYTES_MAX} bytes`] : []),
    ...(NAME.test(name) ? [] : [`name part ${NAME_CHARACTERS}`]),
  ];
}

/** What is wrong with a value, one sentence each; none when nothing is. */
export function labelValueProblems(value: string): readonly string[] {
  return [
    ...(bytesOf(value) > NAME_BYTES_MAX ? [`must be no more than ${NAME_BYTES_MAX} bytes`] : []),
    ...(value === "" || NAME.test(value) ? [] : [VALUE_RULE]),
  ];
}

function prefixProblems(prefix: string): readonly string[] {
  if (prefix === "") return ["prefix part must be non-empty"];
  return [
    ...(bytesOf(prefix) > PREFIX_BYTES_MAX ? [`prefix part must be no more than ${PREFIX_BYTES_MAX} bytes`] : []),
    ...(SUBDOMAIN.test(prefix) ? [] : [`prefix part ${SUBDOMAIN_RULE}`]),
  ];
}

const bytesOf = (text: string): number => Buffer.byteLength(text);
