/** What the peers in TypeScript do with an object: its JSON to JetStream by the client's own publish, as many in flight as the floor and we have. */
import { connect } from "nats";

/** The programs' arguments. */
export const [kubeconfigPath = "", natsUrl = "", group = "", subject = ""] = process.argv.slice(2);

/** With all 100,000 objects of a list in flight, nats-server drops a third of them. */
const IN_FLIGHT_MAX = 256;

interface Named {
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
}

/** Connects; answers how to publish. Ends the process when it is told to stop. */
export async function openPublisher(): Promise<(operation: string, object: Named) => void> {
  const connection = await connect({ servers: natsUrl });
  const jetStream = connection.jetstream();
  process.once("SIGTERM", () => process.exit(0));
  const waiting: (readonly [operation: string, object: Named])[] = [];
  let next = 0; // shift() of a long list is slow
  let inFlight = 0;
  const send = () => {
    for (; inFlight < IN_FLIGHT_MAX && next < waiting.length; next++) {
      const [operation, object] = waiting[next] as (typeof waiting)[number];
      const { namespace, name } = object.metadata ?? {};
      const to = `${subject}.${namespace}.${name}.${operation}`;
      inFlight++;
      jetStream
        .publish(to, JSON.stringify(object))
        .catch((error: Error) => process.stderr.write(`not published: ${to}: ${error.message}\n`))
        .finally(() => {
          inFlight--;
          send();
        });
    }
    if (next < waiting.length) return;
    waiting.length = 0;
    next = 0;
  };
  return (operation, object) => {
    waiting.push([operation, object]);
    send();
  };
}
