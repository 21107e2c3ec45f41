/**
 * What kubectl gets, the same from both servers: tables and the other output formats, selectors, lists in pieces. Databases are those of
 * the tests' kit; their columns are part of the promise.
 */
import { database } from "../../../kit/database-crd.ts";
import { NAMESPACE } from "./kubectl.ts";
import { type KubectlCase, kubectlCases } from "./transcript.ts";

const labelled = (name: string, labels: Readonly<Record<string, string>>, spec = {}) => {
  const { metadata, ...rest } = database(name, NAMESPACE, spec);
  return { ...rest, metadata: { ...metadata, labels } };
};

const list = (items: readonly object[]) => ({ apiVersion: "v1", kind: "List", items });

const three = list([
  labelled("one", { team: "red" }, { replicas: 1 }),
  labelled("two", { team: "blue" }, { replicas: 2, engine: "mysql" }),
  labelled("three", { team: "blue", tier: "gold" }, { replicas: 3 }),
]);

const worker = (name: string, queue: string) => ({
  apiVersion: "kubectl.example.com/v1",
  kind: "Worker",
  metadata: { name },
  spec: { queue },
});

const tables: KubectlCase[] = [
  {
    name: "a table has the kind's own columns",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl get databases
      No resources found in test-namespace1 namespace.
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl patch database one --subresource=status --type=merge -p '{"status":{"phase":"Running"}}'
      database.demo.example.com/one patched
      $ kubectl get databases
      NAME    PHASE     REPLICAS   ENGINE
      one     Running   1          postgres
      three             3          postgres
      two               2          mysql
      $ kubectl get database one
      NAME   PHASE     REPLICAS   ENGINE
      one    Running   1          postgres
      $ kubectl get db three one --no-headers
      three             3     postgres
      one     Running   1     postgres
      $ kubectl get databases.v1.demo.example.com -o wide
      NAME    PHASE     REPLICAS   ENGINE
      one     Running   1          postgres
      three             3          postgres
      two               2          mysql
      $ kubectl get databases --show-labels
      NAME    PHASE     REPLICAS   ENGINE     LABELS
      one     Running   1          postgres   team=red
      three             3          postgres   team=blue,tier=gold
      two               2          mysql      team=blue
      $ kubectl get databases -L team,tier
      NAME    PHASE     REPLICAS   ENGINE     TEAM   TIER
      one     Running   1          postgres   red
      three             3          postgres   blue   gold
      two               2          mysql      blue
      $ kubectl get databases --sort-by=.spec.replicas
      NAME    PHASE     REPLICAS   ENGINE
      one     Running   1          postgres
      two               2          mysql
      three             3          postgres
    `,
  },
  {
    name: "a column of higher priority is for -o wide",
    files: { "workers.yaml": list([worker("alpha", "mail"), worker("beta", "pictures")]) },
    transcript: `
      $ kubectl create -f workers.yaml
      worker.kubectl.example.com/alpha created
      worker.kubectl.example.com/beta created
      $ kubectl get workers
      NAME    REPLICAS   READY   AGE
      alpha   1                  <age>
      beta    1                  <age>
      $ kubectl get workers -o wide
      NAME    REPLICAS   READY   QUEUE      AGE
      alpha   1                  mail       <age>
      beta    1                  pictures   <age>
      $ kubectl get crew
      NAME    REPLICAS   READY   AGE
      alpha   1                  <age>
      beta    1                  <age>
    `,
  },
  {
    name: "several kinds at once are several tables",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl create configmap settings --from-literal=a=1 --from-literal=b=2
      configmap/settings created
      $ kubectl get databases,configmaps -l team=red
      NAME                            PHASE   REPLICAS   ENGINE
      database.demo.example.com/one           1          postgres
      $ kubectl get database/one configmap/settings
      NAME                            PHASE   REPLICAS   ENGINE
      database.demo.example.com/one           1          postgres

      NAME                 DATA   AGE
      configmap/settings   2      <age>
      $ kubectl get -f three.yaml
      NAME    PHASE   REPLICAS   ENGINE
      one             1          postgres
      two             2          mysql
      three           3          postgres
    `,
  },
  {
    name: "built-in kinds have the columns that users know",
    files: {
      "lease.yaml": {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "leader" },
        spec: { holderIdentity: "me", leaseDurationSeconds: 15 },
      },
    },
    transcript: `
      $ kubectl create configmap settings --from-literal=a=1 --from-literal=b=2
      configmap/settings created
      $ kubectl create secret generic password --from-literal=p=s3cret
      secret/password created
      $ kubectl create -f lease.yaml
      lease.coordination.k8s.io/leader created
      $ kubectl get configmap settings
      NAME       DATA   AGE
      settings   2      <age>
      $ kubectl get secret password
      NAME       TYPE     DATA   AGE
      password   Opaque   1      <age>
      $ kubectl get lease leader
      NAME     HOLDER   AGE
      leader   me       <age>
      $ kubectl get namespace test-namespace1
      NAME              STATUS   AGE
      test-namespace1   Active   <age>
      $ kubectl get crd databases.demo.example.com
      NAME                         CREATED AT
      databases.demo.example.com   <time>
    `,
  },
  {
    name: "all namespaces at once are told apart",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl get databases -A --field-selector=metadata.namespace=test-namespace1
      NAMESPACE         NAME    PHASE   REPLICAS   ENGINE
      test-namespace1   one             1          postgres
      test-namespace1   three           3          postgres
      test-namespace1   two             2          mysql
    `,
  },
  {
    name: "what is not there is not found",
    transcript: `
      $ kubectl get databases
      No resources found in test-namespace1 namespace.
      $ kubectl get database none
      Error from server (NotFound): databases.demo.example.com "none" not found
      [1]
      $ kubectl get database none --ignore-not-found
      $ kubectl get unicorns
      error: the server doesn't have a resource type "unicorns"
      [1]
      $ kubectl get namespace no-such-namespace
      Error from server (NotFound): namespaces "no-such-namespace" not found
      [1]
    `,
  },
  {
    name: "selectors choose by labels, name and selectable fields",
    files: { "three.yaml": three, "workers.yaml": list([worker("alpha", "mail"), worker("beta", "pictures")]) },
    transcript: `
      $ kubectl create -f three.yaml -f workers.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      worker.kubectl.example.com/alpha created
      worker.kubectl.example.com/beta created
      $ kubectl get databases -l team=blue -o name
      database.demo.example.com/three
      database.demo.example.com/two
      $ kubectl get databases -l 'team in (blue,red),!tier' -o name
      database.demo.example.com/one
      database.demo.example.com/two
      $ kubectl get databases -l 'team!=blue' -o name
      database.demo.example.com/one
      $ kubectl get databases -l tier -o name
      database.demo.example.com/three
      $ kubectl get databases --field-selector=metadata.name=two -o name
      database.demo.example.com/two
      $ kubectl get databases --field-selector=metadata.name!=two -o name
      database.demo.example.com/one
      database.demo.example.com/three
      $ kubectl get workers --field-selector=spec.queue=mail -o name
      worker.kubectl.example.com/alpha
      $ kubectl get databases --field-selector=spec.engine=mysql -o name
      Error from server (BadRequest): Unable to find "demo.example.com/v1, Resource=databases" that match label selector "", field selector "spec.engine=mysql": field label not supported: spec.engine
      [1]
    `,
  },
  {
    name: "a list in pieces is complete",
    files: { "five.yaml": list(["a", "b", "c", "d", "e"].map((name) => database(name, NAMESPACE))) },
    transcript: `
      $ kubectl create -f five.yaml
      database.demo.example.com/a created
      database.demo.example.com/b created
      database.demo.example.com/c created
      database.demo.example.com/d created
      database.demo.example.com/e created
      $ kubectl get databases --chunk-size=2
      NAME   PHASE   REPLICAS   ENGINE
      a              1          postgres
      b              1          postgres
      c              1          postgres
      d              1          postgres
      e              1          postgres
      $ kubectl get databases --chunk-size=2 -o name
      database.demo.example.com/a
      database.demo.example.com/b
      database.demo.example.com/c
      database.demo.example.com/d
      database.demo.example.com/e
      $ kubectl get databases --chunk-size=2 --request-timeout=10s -o 'jsonpath={.items[*].metadata.name}'
      a b c d e
    `,
  },
];

const formats: KubectlCase[] = [
  {
    name: "an object is shown as JSON and as YAML",
    files: { "one.yaml": labelled("one", { team: "red" }) },
    transcript: `
      $ kubectl create -f one.yaml
      database.demo.example.com/one created
      $ kubectl get database one -o json
      {
          "apiVersion": "demo.example.com/v1",
          "kind": "Database",
          "metadata": {
              "creationTimestamp": "<time>",
              "generation": 1,
              "labels": {
                  "team": "red"
              },
              "name": "one",
              "namespace": "test-namespace1",
              "resourceVersion": "<version>",
              "uid": "<uid>"
          },
          "spec": {
              "engine": "postgres",
              "replicas": 1,
              "storageGb": 10,
              "version": "17"
          }
      }
      $ kubectl get database one -o yaml
      apiVersion: demo.example.com/v1
      kind: Database
      metadata:
        creationTimestamp: "<time>"
        generation: 1
        labels:
          team: red
        name: one
        namespace: test-namespace1
        resourceVersion: "<version>"
        uid: <uid>
      spec:
        engine: postgres
        replicas: 1
        storageGb: 10
        version: "17"
    `,
  },
  {
    name: "parts of objects are chosen by JSON path, template and columns",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml -o name
      database.demo.example.com/one
      database.demo.example.com/two
      database.demo.example.com/three
      $ kubectl get databases -o 'jsonpath={range .items[*]}{.metadata.name}={.spec.replicas} {end}'
      one=1 three=3 two=2
      $ kubectl get database one -o 'go-template={{.kind}} {{.metadata.generation}}'
      Database 1
      $ kubectl get databases -o 'custom-columns=NAME:.metadata.name,ENGINE:.spec.engine,PHASE:.status.phase'
      NAME    ENGINE     PHASE
      one     postgres   <none>
      three   postgres   <none>
      two     mysql      <none>
      $ kubectl get databases -o 'jsonpath={.kind} {.apiVersion}'
      List v1
    `,
  },
];

kubectlCases("kubectl gets", [...tables, ...formats]);
