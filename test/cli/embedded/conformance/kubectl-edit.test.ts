/**
 * How kubectl changes and deletes what is there, the same on both servers: patch, edit, label, annotate, scale, delete. A deletion that
 * has to wait for somebody else is in kubectl-watch.test.ts.
 */
import { database } from "../../../kit/database-crd.ts";
import { NAMESPACE } from "./kubectl.ts";
import { type KubectlCase, kubectlCases } from "./transcript.ts";

const main = database("main", NAMESPACE);

const labelled = (name: string, team: string) => {
  const { metadata, ...rest } = database(name, NAMESPACE);
  return { ...rest, metadata: { ...metadata, labels: { team } } };
};

const three = {
  apiVersion: "v1",
  kind: "List",
  items: [labelled("one", "red"), labelled("two", "blue"), labelled("three", "blue")],
};

const held = { ...main, metadata: { ...main.metadata, finalizers: ["demo.example.com/backup"] } };

const worker = {
  apiVersion: "kubectl.example.com/v1",
  kind: "Worker",
  metadata: { name: "main" },
  spec: { queue: "mail", replicas: 2 },
};

const settings = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings" },
  data: { color: "red", size: "1" },
};

const patches: KubectlCase[] = [
  {
    name: "a merge patch changes, adds and removes",
    files: { "main.yaml": main },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl patch database main --type=merge -p '{"spec":{"replicas":3,"version":null}}'
      database.demo.example.com/main patched
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"postgres","replicas":3,"storageGb":10}
      $ kubectl patch database main --type=merge -p '{"spec":{"replicas":3}}'
      database.demo.example.com/main patched (no change)
      $ kubectl patch database main --type=merge -p '{"spec":{"replicas":99}}'
      The Database "main" is invalid: spec.replicas: Invalid value: 99: spec.replicas in body should be less than or equal to 9
      [1]
      $ kubectl patch database main --type=merge -p '{"spec":{"replicas":4}}' --dry-run=server -o 'jsonpath={.spec.replicas}'
      4
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"postgres","replicas":3,"storageGb":10}
      $ kubectl patch database none --type=merge -p '{"spec":{"replicas":3}}'
      Error from server (NotFound): databases.demo.example.com "none" not found
      [1]
    `,
  },
  {
    name: "a JSON patch is done as a whole or not at all",
    files: { "main.yaml": main },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl patch database main --type=json -p '[{"op":"replace","path":"/spec/replicas","value":3},{"op":"remove","path":"/spec/version"}]'
      database.demo.example.com/main patched
      $ kubectl patch database main --type=json -p '[{"op":"test","path":"/spec/replicas","value":1},{"op":"replace","path":"/spec/replicas","value":5}]'
      The request is invalid: the server rejected our request due to an error in our request
      [1]
      $ kubectl patch database main --type=json -p '[{"op":"replace","path":"/spec/replicas","value":5},{"op":"remove","path":"/spec/nothing"}]'
      The request is invalid: the server rejected our request due to an error in our request
      [1]
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec}'
      2 {"engine":"postgres","replicas":3,"storageGb":10}
    `,
  },
  {
    name: "the status is changed through its subresource only",
    files: { "main.yaml": main, "failed.yaml": { ...main, spec: { engine: "mysql" }, status: { phase: "Failed" } } },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl patch database main --type=merge -p '{"status":{"phase":"Running"}}'
      database.demo.example.com/main patched (no change)
      $ kubectl patch database main --subresource=status --type=merge -p '{"status":{"phase":"Running"},"spec":{"replicas":9}}'
      database.demo.example.com/main patched
      $ kubectl patch database main --subresource=status --type=merge -p '{"status":{"phase":"Asleep"}}'
      The Database "main" is invalid: status.phase: Unsupported value: "Asleep": supported values: "Pending", "Provisioning", "Running", "Failed"
      [1]
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec.replicas} {.status}'
      1 1 {"phase":"Running"}
      $ kubectl get database main --subresource=status
      NAME   PHASE     REPLICAS   ENGINE
      main   Running   1          postgres
      $ kubectl replace --subresource=status -f failed.yaml
      database.demo.example.com/main replaced
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec.replicas} {.status}'
      1 1 {"phase":"Failed"}
    `,
  },
  {
    name: "a strategic merge patch is for built-in kinds",
    files: { "main.yaml": main, "settings.yaml": settings },
    transcript: `
      $ kubectl create -f main.yaml -f settings.yaml
      database.demo.example.com/main created
      configmap/settings created
      $ kubectl patch configmap settings -p '{"data":{"color":null,"shape":"round"}}'
      configmap/settings patched
      $ kubectl patch configmap settings --type=strategic -p '{"data":{"$retainKeys":["size"],"size":"2"}}'
      configmap/settings patched
      $ kubectl get configmap settings -o 'jsonpath={.data}'
      {"size":"2"}
      $ kubectl patch database main -p '{"spec":{"replicas":3}}'
      error: application/strategic-merge-patch+json is not supported by demo.example.com/v1, Kind=Database: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml
      [1]
    `,
  },
];

const changes: KubectlCase[] = [
  {
    name: "an object is edited in the user's editor",
    files: {
      "main.yaml": main,
      "nothing.sh": "",
      "more.sh": 'sed "s/replicas: 1/replicas: 4/" "$1" > edited && cat edited > "$1"',
      "phase.sh": 'printf "status:\\n  phase: Running\\n" >> "$1"',
    },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ KUBE_EDITOR='sh more.sh' kubectl edit database main
      database.demo.example.com/main edited
      $ KUBE_EDITOR='sh nothing.sh' kubectl edit database main
      Edit cancelled, no changes made.
      $ KUBE_EDITOR='sh phase.sh' kubectl edit database main --subresource=status
      database.demo.example.com/main edited
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.spec.replicas} {.status.phase}'
      2 4 Running
    `,
  },
  {
    name: "labels and annotations are set, overwritten on demand, and removed",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl label database one tier=gold
      database.demo.example.com/one labeled
      $ kubectl label database one tier=gold
      database.demo.example.com/one not labeled
      $ kubectl label database one tier=silver
      error: 'tier' already has a value (gold), and --overwrite is false
      [1]
      $ kubectl label database one tier=silver --overwrite
      database.demo.example.com/one labeled
      $ kubectl label databases -l team=blue tier=gold
      database.demo.example.com/three labeled
      database.demo.example.com/two labeled
      $ kubectl label databases --all team-
      database.demo.example.com/one unlabeled
      database.demo.example.com/three unlabeled
      database.demo.example.com/two unlabeled
      $ kubectl label database one 'tier=not valid!'
      error: invalid label value: "tier=not valid!": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
      [1]
      $ kubectl annotate database one note='for whom it may concern'
      database.demo.example.com/one annotated
      $ kubectl annotate database one note-
      database.demo.example.com/one annotated
      $ kubectl get databases -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.generation} {.metadata.labels} {.metadata.annotations}{"\\n"}{end}'
      one 1 {"tier":"silver"}
      three 1 {"tier":"gold"}
      two 1 {"tier":"gold"}
      $ kubectl label configmap none a=b
      Error from server (NotFound): configmaps "none" not found
      [1]
    `,
  },
  {
    name: "a kind with a scale is scaled",
    files: { "worker.yaml": worker, "main.yaml": main },
    transcript: `
      $ kubectl create -f worker.yaml -f main.yaml
      worker.kubectl.example.com/main created
      database.demo.example.com/main created
      $ kubectl scale worker main --replicas=5
      worker.kubectl.example.com/main scaled
      $ kubectl scale worker main --current-replicas=2 --replicas=7
      error: Expected replicas to be 2, was 5
      [1]
      $ kubectl scale worker main --replicas=99
      The Worker "main" is invalid: spec.replicas: Invalid value: 99: spec.replicas in body should be less than or equal to 20
      [1]
      $ kubectl patch worker main --subresource=scale --type=merge -p '{"spec":{"replicas":6}}'
      scale.autoscaling/main patched
      $ kubectl get worker main --subresource=scale -o yaml
      apiVersion: autoscaling/v1
      kind: Scale
      metadata:
        creationTimestamp: "<time>"
        name: main
        namespace: test-namespace1
        resourceVersion: "<version>"
        uid: <uid>
      spec:
        replicas: 6
      status:
        replicas: 0
      $ kubectl get worker main -o 'jsonpath={.metadata.generation} {.spec}'
      3 {"queue":"mail","replicas":6}
      $ kubectl scale database main --replicas=2
      Error from server (NotFound): databases.demo.example.com "main" not found
      [1]
    `,
  },
];

const deletions: KubectlCase[] = [
  {
    name: "delete waits until the object is gone",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl delete database one
      database.demo.example.com "one" deleted
      $ kubectl get database one
      Error from server (NotFound): databases.demo.example.com "one" not found
      [1]
      $ kubectl delete database one
      Error from server (NotFound): databases.demo.example.com "one" not found
      [1]
      $ kubectl delete database one --ignore-not-found
      $ kubectl delete -f three.yaml --ignore-not-found
      database.demo.example.com "two" deleted
      database.demo.example.com "three" deleted
      $ kubectl get databases
      No resources found in test-namespace1 namespace.
    `,
  },
  {
    name: "many are deleted by label, or all",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl delete databases -l team=blue --dry-run=server
      database.demo.example.com "three" deleted (server dry run)
      database.demo.example.com "two" deleted (server dry run)
      $ kubectl delete databases -l team=blue
      database.demo.example.com "three" deleted
      database.demo.example.com "two" deleted
      $ kubectl get databases -o name
      database.demo.example.com/one
      $ kubectl delete databases -l team=green
      No resources found
      $ kubectl delete databases --all
      database.demo.example.com "one" deleted
      $ kubectl get databases -o name
      $ kubectl delete databases --all
      No resources found
    `,
  },
  {
    name: "many are deleted in one request",
    files: { "three.yaml": three },
    transcript: `
      $ kubectl create -f three.yaml
      database.demo.example.com/one created
      database.demo.example.com/two created
      database.demo.example.com/three created
      $ kubectl delete --raw /apis/demo.example.com/v1/namespaces/test-namespace1/databases?labelSelector=team=blue | grep nothing
      $ kubectl get databases -o name
      database.demo.example.com/one
    `,
  },
  {
    name: "a finalizer keeps a deleted object until it is removed",
    files: { "main.yaml": held },
    transcript: `
      $ kubectl create -f main.yaml
      database.demo.example.com/main created
      $ kubectl delete database main --wait=false
      database.demo.example.com "main" deleted
      $ kubectl get database main -o 'jsonpath={.metadata.generation} {.metadata.deletionTimestamp} {.metadata.deletionGracePeriodSeconds} {.metadata.finalizers}'
      2 <time> 0 ["demo.example.com/backup"]
      $ kubectl delete database main --timeout=300ms
      database.demo.example.com "main" deleted
      error: timed out waiting for the condition on databases/main
      [1]
      $ kubectl label database main still=there
      database.demo.example.com/main labeled
      $ kubectl patch database main --type=merge -p '{"metadata":{"finalizers":["demo.example.com/backup","demo.example.com/other"]}}'
      The Database "main" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"demo.example.com/other"}
      [1]
      $ kubectl patch database main --type=merge -p '{"metadata":{"finalizers":null}}'
      database.demo.example.com/main patched
      $ kubectl get database main
      Error from server (NotFound): databases.demo.example.com "main" not found
      [1]
    `,
  },
  {
    name: "built-in kinds are deleted",
    files: { "settings.yaml": settings },
    transcript: `
      $ kubectl create -f settings.yaml
      configmap/settings created
      $ kubectl delete configmap settings
      configmap "settings" deleted
      $ kubectl get configmap settings
      Error from server (NotFound): configmaps "settings" not found
      [1]
      $ kubectl delete namespace test-namespace1 --wait=false
      namespace "test-namespace1" deleted
    `,
  },
];

kubectlCases("kubectl changes and deletes", [...patches, ...changes, ...deletions]);
