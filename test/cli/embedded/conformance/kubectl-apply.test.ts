/**
 * How kubectl brings objects into the state that a file asks for, the same on both servers: apply on the client's and on the server's
 * side, as a dry run, and as a difference.
 */
import { type DatabaseSpec, database } from "../../../kit/database-crd.ts";
import { NAMESPACE } from "./kubectl.ts";
import { type KubectlCase, kubectlCases } from "./transcript.ts";

const main = (spec: Partial<DatabaseSpec> = {}) => database("main", NAMESPACE, spec);

/** With exactly these fields of the spec. */
const only = (spec: DatabaseSpec) => ({ ...main(), spec });

const settings = (data: Readonly<Record<string, string>>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings" },
  data,
});

const clientSide: KubectlCase[] = [
  {
    name: "apply creates, changes, and leaves alone what has not changed",
    files: {
      "main.yaml": only({ engine: "postgres", replicas: 1, version: "17" }),
      "more.yaml": only({ engine: "postgres", replicas: 3 }),
    },
    transcript: `
      $ kubectl apply -f main.yaml
      database.demo.example.com/main created
      $ kubectl apply -f main.yaml
      database.demo.example.com/main unchanged
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      1 {"engine":"postgres","replicas":1,"version":"17"}
      $ kubectl apply -f more.yaml
      database.demo.example.com/main configured
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"postgres","replicas":3}
      $ kubectl get database main --show-managed-fields -o 'jsonpath={range .metadata.managedFields[*]}{.manager} {.operation} {end}'
      kubectl-client-side-apply Update
      $ kubectl apply view-last-applied database main
      apiVersion: demo.example.com/v1
      kind: Database
      metadata:
        annotations: {}
        name: main
        namespace: test-namespace1
      spec:
        engine: postgres
        replicas: 3
    `,
  },
  {
    name: "apply keeps what others have set",
    files: {
      "main.yaml": only({ engine: "postgres", replicas: 1 }),
      "more.yaml": only({ engine: "postgres" }),
    },
    transcript: `
      $ kubectl apply -f main.yaml
      database.demo.example.com/main created
      $ kubectl patch database main --type=merge -p '{"spec":{"storageGb":50}}'
      database.demo.example.com/main patched
      $ kubectl label database main team=red
      database.demo.example.com/main labeled
      $ kubectl apply -f more.yaml
      database.demo.example.com/main configured
      $ kubectl get database main -o 'jsonpath={.spec} {.metadata.labels}'
      {"engine":"postgres","storageGb":50} {"team":"red"}
    `,
  },
  {
    name: "apply works on built-in kinds",
    files: {
      "settings.yaml": settings({ color: "red", size: "1" }),
      "less.yaml": settings({ color: "blue" }),
    },
    transcript: `
      $ kubectl apply -f settings.yaml
      configmap/settings created
      $ kubectl apply -f settings.yaml
      configmap/settings unchanged
      $ kubectl apply -f less.yaml
      configmap/settings configured
      $ kubectl get configmap settings -o 'jsonpath={.data}'
      {"color":"blue"}
    `,
  },
  {
    name: "apply of what was created otherwise warns, then takes over",
    files: { "main.yaml": main(), "more.yaml": main({ replicas: 2 }) },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl apply -f main.yaml
      database.demo.example.com/main configured
      Warning: resource databases/main is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
      $ kubectl apply -f more.yaml
      database.demo.example.com/main configured
      $ kubectl apply -f main.yaml --dry-run=server
      database.demo.example.com/main configured (server dry run)
      $ kubectl apply -f main.yaml --dry-run=client
      database.demo.example.com/main configured (dry run)
      $ kubectl get database main -o 'jsonpath={.spec.replicas}'
      2
    `,
  },
  {
    name: "apply refuses what the schema refuses, and changes nothing",
    files: { "main.yaml": main(), "wrong.yaml": main({ replicas: 0 }) },
    transcript: `
      $ kubectl apply -f main.yaml
      database.demo.example.com/main created
      $ kubectl apply -f wrong.yaml
      The Database "main" is invalid: spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1
      [1]
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec.replicas}'
      1 1
    `,
  },
  {
    name: "a dry run on the server shows what would be and keeps nothing",
    files: { "main.yaml": main(), "wrong.yaml": main({ replicas: 0 }) },
    transcript: `
      $ kubectl apply -f main.yaml --dry-run=server
      database.demo.example.com/main created (server dry run)
      $ kubectl create -f main.yaml --dry-run=server -o 'jsonpath={.metadata.generation} {.spec.replicas}'
      1 1
      $ kubectl apply -f wrong.yaml --dry-run=server
      The Database "main" is invalid: spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1
      [1]
      $ kubectl apply --server-side -f main.yaml --dry-run=server
      database.demo.example.com/main serverside-applied (server dry run)
      $ kubectl get database main
      Error from server (NotFound): databases.demo.example.com "main" not found
      [1]
    `,
  },
];

const serverSide: KubectlCase[] = [
  {
    name: "server-side apply creates, changes, and removes what vanished from the file",
    files: {
      "main.yaml": only({ engine: "postgres", replicas: 1, version: "17" }),
      "less.yaml": only({ engine: "postgres", replicas: 3 }),
    },
    transcript: `
      $ kubectl apply --server-side -f main.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl apply --server-side -f main.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      1 {"engine":"postgres","replicas":1,"version":"17"}
      $ kubectl apply --server-side -f less.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"postgres","replicas":3}
      $ kubectl get database main --show-managed-fields -o yaml
      apiVersion: demo.example.com/v1
      kind: Database
      metadata:
        creationTimestamp: "<time>"
        generation: 2
        managedFields:
        - apiVersion: demo.example.com/v1
          fieldsType: FieldsV1
          fieldsV1:
            f:spec:
              f:engine: {}
              f:replicas: {}
          manager: kubectl
          operation: Apply
          time: "<time>"
        name: main
        namespace: test-namespace1
        resourceVersion: "<version>"
        uid: <uid>
      spec:
        engine: postgres
        replicas: 3
    `,
  },
  {
    name: "two managers conflict over a field until one forces it",
    files: {
      "main.yaml": only({ engine: "postgres", replicas: 1 }),
      "ours.yaml": only({ engine: "postgres", replicas: 3 }),
      "both.yaml": only({ engine: "mysql", replicas: 3 }),
    },
    transcript: `
      $ kubectl apply --server-side --field-manager=them -f main.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl apply --server-side --field-manager=us -f ours.yaml | head -1
      error: Apply failed with 1 conflict: conflict with "them": .spec.replicas
      [1]
      $ kubectl apply --server-side --field-manager=us -f both.yaml | head -3
      error: Apply failed with 2 conflicts: conflicts with "them":
      - .spec.engine
      - .spec.replicas
      [1]
      $ kubectl apply --server-side --field-manager=us -f ours.yaml --force-conflicts
      database.demo.example.com/main serverside-applied
      $ kubectl apply --server-side --field-manager=them -f main.yaml | head -1
      error: Apply failed with 1 conflict: conflict with "us": .spec.replicas
      [1]
      $ kubectl get database main -o 'jsonpath={.spec}'
      {"engine":"postgres","replicas":3}
    `,
  },
  {
    name: "a field that was changed by other means conflicts with its applier",
    files: { "main.yaml": only({ engine: "postgres", replicas: 1 }) },
    transcript: `
      $ kubectl apply --server-side -f main.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl patch database main --type=merge -p '{"spec":{"replicas":4}}'
      database.demo.example.com/main patched
      $ kubectl apply --server-side -f main.yaml | head -1
      error: Apply failed with 1 conflict: conflict with "kubectl-patch" using demo.example.com/v1: .spec.replicas
      [1]
    `,
  },
  {
    name: "server-side apply works on built-in kinds",
    files: { "settings.yaml": settings({ color: "red", size: "1" }), "less.yaml": settings({ color: "blue" }) },
    transcript: `
      $ kubectl apply --server-side -f settings.yaml
      configmap/settings serverside-applied
      $ kubectl apply --server-side -f less.yaml
      configmap/settings serverside-applied
      $ kubectl get configmap settings -o 'jsonpath={.data}'
      {"color":"blue"}
    `,
  },
  {
    name: "an object moves from client-side to server-side apply",
    files: { "main.yaml": main(), "more.yaml": main({ replicas: 2 }) },
    transcript: `
      $ kubectl apply -f main.yaml
      database.demo.example.com/main created
      $ kubectl apply --server-side -f more.yaml
      database.demo.example.com/main serverside-applied
      $ kubectl get database main --show-managed-fields -o 'jsonpath={.metadata.managedFields[?(@.manager=="kubectl")].operation}'
      Apply
      $ kubectl get database main --show-managed-fields -o 'jsonpath={.metadata.managedFields[?(@.operation=="Update")].manager}'
    `,
  },
];

const differences: KubectlCase[] = [
  {
    name: "diff shows what apply would change, and exits with 1",
    files: {
      "main.yaml": only({ engine: "postgres", replicas: 1 }),
      "more.yaml": only({ engine: "postgres", replicas: 3 }),
    },
    transcript: `
      $ kubectl apply -f main.yaml
      database.demo.example.com/main created
      $ kubectl diff -f main.yaml
      $ kubectl diff -f more.yaml | grep ^[-+][^-+]
      -  generation: 1
      +  generation: 2
      -  replicas: 1
      +  replicas: 3
      [1]
      $ kubectl diff --server-side --force-conflicts -f more.yaml | grep ^[-+][^-+]
      -      {"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"annotations":{},"name":"main","namespace":"test-namespace1"},"spec":{"engine":"postgres","replicas":1}}
      +      {"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"name":"main","namespace":"test-namespace1"},"spec":{"engine":"postgres","replicas":3}}
      -  generation: 1
      +  generation: 2
      -  replicas: 1
      +  replicas: 3
      [1]
      $ kubectl get database main -o 'jsonpath={.metadata.generation}'
      1
    `,
  },
  {
    name: "diff of what is not there shows the whole object",
    files: { "main.yaml": only({ engine: "postgres" }) },
    transcript: `
      $ kubectl diff -f main.yaml | grep ^[-+][^-+]
      +apiVersion: demo.example.com/v1
      +kind: Database
      +metadata:
      +  creationTimestamp: "<time>"
      +  generation: 1
      +  name: main
      +  namespace: test-namespace1
      +  uid: <uid>
      +spec:
      +  engine: postgres
      [1]
    `,
  },
];

kubectlCases("kubectl applies", [...clientSide, ...serverSide, ...differences]);
