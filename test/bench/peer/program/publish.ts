/** What the peers in TypeScript do with an object: its JSON to JetStream, as the documentation of the client shows it. */
import { connect } from "nats";

/** The programs' arguments. */
export const [kubeconfigPath = "", natsUrl = "", group = "", subject = ""] = process.argv.slice(2);

/** The client's default of 5 s would end publishes that only wait for those before them. */
const TIMEOUT_MS = 60_000;

interface Named {
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
}

/** Connects; answers how to publish. Ends the process when it is told to stop. */
export async function openPublisher(): Promise<(operation: string, object: Named) => void> {
  const connection = await connect({ servers: natsUrl });
  const jetStream = connection.jetstream();
  process.once("SIGTERM", () => process.exit(0));
  return (operation, object) => {
    const { namespace, name } = object.metadata ?? {};
    const to = `${subject}.${namespace}.${name}.${operation}`;
    jetStream.publish(to, JSON.stringify(object), { timeout: TIMEOUT_MS }).catch((error: Error) => {
      process.stderr.write(`not published: ${to}: ${error.message}\n`);
    });
  };
}
