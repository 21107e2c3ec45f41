// The floor of the benchmark: the least that a Go engineer would write. client-go's dynamic informer, each object as JSON to JetStream with an
// asynchronous publish; no difference, no state, no fence. It says "synced" on standard output when the informer has its first list.
// Usage: floor <kubeconfig> <NATS URL> <group of the databases> <what subjects begin with>
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Set by the build, so that a cached program is the one of these sources.
var version = "unknown"

// As many as the bridge has in flight.
const inFlightMax = 256

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version)
		return
	}
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: floor <kubeconfig> <NATS URL> <group> <subject>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig, natsURL, group, prefix string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	connection, err := nats.Connect(natsURL)
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := jetstream.New(connection,
		jetstream.WithPublishAsyncMaxPending(inFlightMax),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, message *nats.Msg, err error) {
			fmt.Fprintf(os.Stderr, "not published: %s: %v\n", message.Subject, err)
		}))
	if err != nil {
		return err
	}

	publish := func(operation string, object any) {
		if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		custom, ok := object.(*unstructured.Unstructured)
		if !ok {
			return
		}
		data, err := json.Marshal(custom.Object)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		subject := fmt.Sprintf("%s.%s.%s.%s", prefix, custom.GetNamespace(), custom.GetName(), operation)
		if _, err := stream.PublishAsync(subject, data, jetstream.WithStallWait(time.Minute)); err != nil {
			fmt.Fprintf(os.Stderr, "not published: %s: %v\n", subject, err)
		}
	}
	resource := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "databases"}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(resource).Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { publish("created", object) },
		UpdateFunc: func(_, object any) { publish("updated", object) },
		DeleteFunc: func(object any) { publish("deleted", object) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		fmt.Println("synced")
	}
	<-ctx.Done()
	return nil
}
