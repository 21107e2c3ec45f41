/**
 * What kubectl tells about the server, its kinds and its objects, the same from both servers: versions, discovery, permissions, explain,
 * describe, events.
 */
import { database, databasePath } from "../../../kit/database-crd.ts";
import { NAMESPACE } from "./kubectl.ts";
import { type KubectlCase, kubectlCases } from "./transcript.ts";

const discovery: KubectlCase[] = [
  {
    name: "the server's version is the one that is imitated",
    transcript: `
      $ kubectl version | grep Server
      Server Version: v1.36
    `,
  },
  {
    name: "the groups and versions that this project needs are served",
    transcript: `
      $ kubectl api-versions | grep demo.example.com
      demo.example.com/v1
      $ kubectl api-versions | grep apiextensions
      apiextensions.k8s.io/v1
      $ kubectl api-versions | grep coordination
      coordination.k8s.io/v1
    `,
  },
  {
    name: "a custom kind is listed with its short names, verbs and categories",
    transcript: `
      $ kubectl api-resources --api-group=demo.example.com
      NAME        SHORTNAMES   APIVERSION            NAMESPACED   KIND
      databases   db           demo.example.com/v1   true         Database
      $ kubectl api-resources --api-group=kubectl.example.com -o wide
      NAME      SHORTNAMES   APIVERSION               NAMESPACED   KIND     VERBS                                                        CATEGORIES
      workers                kubectl.example.com/v1   true         Worker   delete,deletecollection,get,list,patch,create,update,watch   crew
      $ kubectl api-resources --categories=crew -o name
      workers.kubectl.example.com
    `,
  },
  {
    name: "built-in kinds are listed",
    transcript: `
      $ kubectl api-resources --api-group=coordination.k8s.io
      NAME     SHORTNAMES   APIVERSION               NAMESPACED   KIND
      leases                coordination.k8s.io/v1   true         Lease
      $ kubectl api-resources --api-group=apiextensions.k8s.io
      NAME                        SHORTNAMES   APIVERSION                NAMESPACED   KIND
      customresourcedefinitions   crd,crds     apiextensions.k8s.io/v1   false        CustomResourceDefinition
      $ kubectl api-resources --api-group='' --namespaced=true -o name | grep configmaps
      configmaps
      $ kubectl api-resources --api-group='' --namespaced=true -o name | grep secrets
      secrets
      $ kubectl api-resources --api-group='' --namespaced=true -o name | grep events
      events
      $ kubectl api-resources --api-group='' --namespaced=false -o name | grep namespaces
      namespaces
    `,
  },
  {
    name: "paths can be read as they are",
    transcript: `
      $ kubectl get --raw /readyz
      ok
      $ kubectl get --raw /livez
      ok
      $ kubectl get --raw /apis/demo.example.com/v1/namespaces/test-namespace1/databases/none
      Error from server (NotFound): databases.demo.example.com "none" not found
      [1]
      $ kubectl get --raw /nowhere
      Error from server (NotFound): the server could not find the requested resource
      [1]
    `,
  },
  {
    name: "an administrator may do everything",
    transcript: `
      $ kubectl auth can-i create databases.demo.example.com
      yes
      $ kubectl auth can-i '*' '*' --all-namespaces
      yes
    `,
  },
  {
    name: "a kind is explained from its schema",
    transcript: `
      $ kubectl explain database.spec.replicas
      GROUP:      demo.example.com
      KIND:       Database
      VERSION:    v1

      FIELD: replicas <integer>


      DESCRIPTION:
          <empty>
      $ kubectl explain worker.spec
      GROUP:      kubectl.example.com
      KIND:       Worker
      VERSION:    v1

      FIELD: spec <Object>


      DESCRIPTION:
          What is wanted.

      FIELDS:
        env	<map[string]string>
          <no description>

        queue	<string> -required-
          Where the jobs come from.

        replicas	<integer>
          <no description>
      $ kubectl explain worker --recursive
      GROUP:      kubectl.example.com
      KIND:       Worker
      VERSION:    v1

      DESCRIPTION:
          A Worker takes jobs from a queue.

      FIELDS:
        apiVersion	<string>
        kind	<string>
        metadata	<ObjectMeta>
          annotations	<map[string]string>
          creationTimestamp	<string>
          deletionGracePeriodSeconds	<integer>
          deletionTimestamp	<string>
          finalizers	<[]string>
          generateName	<string>
          generation	<integer>
          labels	<map[string]string>
          managedFields	<[]ManagedFieldsEntry>
            apiVersion	<string>
            fieldsType	<string>
            fieldsV1	<FieldsV1>
            manager	<string>
            operation	<string>
            subresource	<string>
            time	<string>
          name	<string>
          namespace	<string>
          ownerReferences	<[]OwnerReference>
            apiVersion	<string> -required-
            blockOwnerDeletion	<boolean>
            controller	<boolean>
            kind	<string> -required-
            name	<string> -required-
            uid	<string> -required-
          resourceVersion	<string>
          selfLink	<string>
          uid	<string>
        spec	<Object>
          env	<map[string]string>
          queue	<string> -required-
          replicas	<integer>
        status	<Object>
          replicas	<integer>
          selector	<string>
      $ kubectl explain database.spec.colour
      GROUP:      demo.example.com
      KIND:       Database
      VERSION:    v1

      error: field "colour" does not exist
      [1]
    `,
  },
];

const event = (
  name: string,
  about: string,
  reason: string,
  { uid, type }: { uid?: string | undefined; type?: string } = {},
) => {
  const at = `${new Date().toISOString().slice(0, 19)}Z`;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name },
    involvedObject: { apiVersion: "demo.example.com/v1", kind: "Database", name: about, namespace: NAMESPACE, uid },
    reason,
    message: `about ${about}`,
    type: type ?? "Normal",
    count: 1,
    source: { component: "operator" },
    firstTimestamp: at,
    lastTimestamp: at,
  };
};

const descriptions: KubectlCase[] = [
  {
    name: "a custom resource is described with the events about it",
    files: {
      "two.yaml": database("two", NAMESPACE),
    },
    prepare: async ({ target, namespace, write }) => {
      const { metadata } = await target.client.create(databasePath(namespace), database("one", namespace));
      write("event.yaml", event("first", "one", "Provisioned", { uid: metadata.uid }));
    },
    transcript: `
      $ kubectl create -f two.yaml -f event.yaml
      database.demo.example.com/two created
      event/first created
      $ kubectl describe database one
      Name:         one
      Namespace:    test-namespace1
      Labels:       <none>
      Annotations:  <none>
      API Version:  demo.example.com/v1
      Kind:         Database
      Metadata:
        Creation Timestamp:  <time>
        Generation:          1
        Resource Version:    <version>
        UID:                 <uid>
      Spec:
        Engine:      postgres
        Replicas:    1
        Storage Gb:  10
        Version:     17
      Events:
        Type    Reason       Age   From      Message
        ----    ------       ----  ----      -------
        Normal  Provisioned  <age> operator  about one
      $ kubectl describe database two | grep Events
      Events:        <none>
      $ kubectl describe database none
      Error from server (NotFound): databases.demo.example.com "none" not found
      [1]
    `,
  },
  {
    name: "built-in kinds are described",
    files: {
      "settings.yaml": {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "settings", labels: { team: "red" } },
        data: { text: "two\nlines" }, // kubectl shows several in any order
      },
    },
    transcript: `
      $ kubectl create -f settings.yaml
      configmap/settings created
      $ kubectl describe configmap settings
      Name:         settings
      Namespace:    test-namespace1
      Labels:       team=red
      Annotations:  <none>

      Data
      ====
      text:
      ----
      two
      lines


      BinaryData
      ====

      Events:  <none>
      $ kubectl describe namespace test-namespace1 | head -4
      Name:         test-namespace1
      Labels:       kubernetes.io/metadata.name=test-namespace1
      Annotations:  <none>
      Status:       Active
      $ kubectl describe -f settings.yaml | grep Name
      Name:         settings
      Namespace:    test-namespace1
    `,
  },
  {
    name: "events are shown for an object, by type and as a table",
    files: {
      "one.yaml": database("one", NAMESPACE),
      "events.yaml": {
        apiVersion: "v1",
        kind: "List",
        items: [event("first", "one", "Provisioned"), event("second", "two", "Broken", { type: "Warning" })],
      },
    },
    transcript: `
      $ kubectl create -f one.yaml -f events.yaml
      database.demo.example.com/one created
      event/first created
      event/second created
      $ kubectl events --for database/one
      LAST SEEN   TYPE     REASON        OBJECT         MESSAGE
      <age>       Normal   Provisioned   Database/one   about one
      $ kubectl events --types=Warning
      LAST SEEN   TYPE      REASON   OBJECT         MESSAGE
      <age>       Warning   Broken   Database/two   about two
      $ kubectl get events --field-selector=involvedObject.name=one
      LAST SEEN   TYPE     REASON        OBJECT         MESSAGE
      <age>       Normal   Provisioned   database/one   about one
      $ kubectl get events --field-selector=reason=Broken,involvedObject.kind=Database -o name
      event/second
    `,
  },
];

kubectlCases("kubectl tells", [...discovery, ...descriptions]);
