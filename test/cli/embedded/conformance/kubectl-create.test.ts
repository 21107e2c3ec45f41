/**
 * How kubectl creates and replaces objects, the same on both servers, and what it says when the server refuses: for the schema, for an
 * unknown field, for a name that is taken, for a state that is gone.
 */
import { database } from "../../../kit/database-crd.ts";
import { NAMESPACE } from "./kubectl.ts";
import { type KubectlCase, kubectlCases } from "./transcript.ts";

const main = (spec: object = {}, metadata: object = {}) => {
  const { metadata: named, ...rest } = database("main", NAMESPACE, spec);
  return { ...rest, metadata: { ...named, ...metadata } };
};

/** With exactly these fields of the spec. */
const only = (spec: object) => ({ ...main(), spec });

const creation: KubectlCase[] = [
  {
    name: "an object is created once",
    files: { "main.yaml": main() },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl create -f main.yaml
      Error from server (AlreadyExists): error when creating "main.yaml": databases.demo.example.com "main" already exists
      [1]
      $ kubectl create -f main.yaml -o name --dry-run=client
      database.demo.example.com/main
    `,
  },
  {
    name: "a name is generated from its beginning",
    files: { "main.yaml": { ...main(), metadata: { generateName: "main-" } } },
    transcript: `
      $ kubectl create -f main.yaml -o 'jsonpath={.metadata.generateName} {.metadata.generation}'
      main- 1
      $ kubectl create -f main.yaml -o 'jsonpath={.metadata.generateName} {.metadata.generation}'
      main- 1
      $ kubectl get databases -o 'jsonpath={.items[*].metadata.generateName}'
      main- main-
      $ kubectl apply -f main.yaml
      error: from main-: cannot use generate name with apply
      [1]
    `,
  },
  {
    name: "built-in kinds are created without a file",
    transcript: `
      $ kubectl create namespace test-namespace1-b
      namespace/test-namespace1-b created
      $ kubectl create namespace test-namespace1
      Error from server (AlreadyExists): namespaces "test-namespace1" already exists
      [1]
      $ kubectl create configmap settings --from-literal=color=red
      configmap/settings created
      $ kubectl create configmap settings --from-literal=color=red
      error: failed to create configmap: configmaps "settings" already exists
      [1]
      $ kubectl get configmap settings -o 'jsonpath={.data}'
      {"color":"red"}
      $ kubectl create secret generic password --from-literal=p=s3cret
      secret/password created
      $ kubectl get secret password -o 'jsonpath={.type} {.data}'
      Opaque {"p":"czNjcmV0"}
    `,
  },
  {
    name: "what breaks the schema is refused with the field's name",
    files: {
      "engine.yaml": main({ engine: "oracle" }),
      "two.yaml": only({ replicas: 99 }),
      "name.yaml": main({}, { name: "Not_A_Name" }),
      "elsewhere.yaml": main({}, { namespace: "no-such-namespace" }),
    },
    transcript: `
      $ kubectl create -f engine.yaml
      The Database "main" is invalid: spec.engine: Unsupported value: "oracle": supported values: "postgres", "mysql"
      [1]
      $ kubectl create -f two.yaml
      The Database "main" is invalid:
      * spec.replicas: Invalid value: 99: spec.replicas in body should be less than or equal to 9
      * spec.engine: Required value
      [1]
      $ kubectl create -f name.yaml
      The Database "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
      [1]
      $ kubectl create -f elsewhere.yaml
      Error from server (NotFound): error when creating "elsewhere.yaml": namespaces "no-such-namespace" not found
      [1]
    `,
  },
  {
    name: "an unknown field is refused, warned of or dropped, as the user wants it",
    files: { "main.yaml": main({ colour: "red" }) },
    transcript: `
      $ kubectl create -f main.yaml
      Error from server (BadRequest): error when creating "main.yaml": Database in version "v1" cannot be handled as a Database: strict decoding error: unknown field "spec.colour"
      [1]
      $ kubectl apply -f main.yaml
      Error from server (BadRequest): error when creating "main.yaml": Database in version "v1" cannot be handled as a Database: strict decoding error: unknown field "spec.colour"
      [1]
      $ kubectl apply --server-side -f main.yaml
      Error from server: failed to create typed patch object (test-namespace1/main; demo.example.com/v1, Kind=Database): .spec.colour: field not declared in schema
      [1]
      $ kubectl create -f main.yaml --validate=warn
      database.demo.example.com/main created
      Warning: unknown field "spec.colour"
      $ kubectl apply --server-side --force-conflicts -f main.yaml --validate=ignore
      Error from server: failed to create typed patch object (test-namespace1/main; demo.example.com/v1, Kind=Database): .spec.colour: field not declared in schema
      [1]
      $ kubectl get database main -o 'jsonpath={.spec}'
      {"engine":"postgres","replicas":1,"storageGb":10,"version":"17"}
    `,
  },
];

const replacement: KubectlCase[] = [
  {
    name: "replace takes the file as it is",
    files: { "main.yaml": main(), "less.yaml": only({ engine: "mysql" }), "none.yaml": main({}, { name: "none" }) },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl replace -f less.yaml
      database.demo.example.com/main replaced
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"mysql"}
      $ kubectl replace -f none.yaml
      Error from server (NotFound): error when replacing "none.yaml": databases.demo.example.com "none" not found
      [1]
    `,
  },
  {
    name: "replace of a state that is gone is a conflict",
    files: { "main.yaml": main(), "stale.yaml": main({ replicas: 5 }, { resourceVersion: "1" }) },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl replace -f stale.yaml
      Error from server (Conflict): error when replacing "stale.yaml": Operation cannot be fulfilled on databases.demo.example.com "main": the object has been modified; please apply your changes to the latest version and try again
      [1]
    `,
  },
  {
    name: "a replacement by force is another object",
    files: { "main.yaml": main(), "less.yaml": only({ engine: "mysql" }) },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl replace --force -f less.yaml
      database.demo.example.com "main" deleted
      database.demo.example.com/main replaced
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      1 {"engine":"mysql"}
    `,
  },
];

kubectlCases("kubectl creates and replaces", [...creation, ...replacement]);
