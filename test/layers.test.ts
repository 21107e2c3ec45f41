/**
 * The direction of imports (DESIGN, "Data, one direction"), held: rooms open each other only through their doors, nothing goes in a
 * circle, every npm package has its home, and a process of functions never loads the Kubernetes client.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const ALIASES: Readonly<Record<string, string>> = { "#contract": "bridge/contract.ts", "#kit": "functions/kit/kit.ts" };
/** What the commands may open: each other, and the doors of both sides. */
const COMMAND_OPENS =
  /^(cli\/(?!embedded\/)|cli\/embedded\/embedded\.ts$|bridge\/(main|config|kube\/(api-server|discovery|kube-requirement|kubernetes-settings)|dotted-version|inspection|schema\/kind-schema-reduction|logger|nats\/nats-requirement|observe|preview|yaml-config|contract)\.ts$|functions\/(main|serving|kit\/kit|actions\/audit\/audit-chain)\.ts$)/;
/** Each package outside Node, and the only files that may import it; tests are free. */
const HOMES: Readonly<Record<string, RegExp>> = {
  "@kubernetes/client-node": /^bridge\/kube\/api-server\.ts$/,
  undici: /^bridge\/kube\/api-server\.ts$/,
  nodemailer: /^functions\/actions\/email\.ts$/,
  nats: /^bridge\/nats\/jetstream\.ts$/,
  croner: /^functions\/kit\/silence\/window\.ts$/,
  cloudevents: /^bridge\/event\/seal\.ts$/,
  "prom-client": /^bridge\/metrics\/instrument\.ts$/,
  pino: /^bridge\/logger\.ts$/,
  "@opentelemetry/api": /^bridge\/trace\/otlp(-[a-z]+)?\.ts$/,
  "@opentelemetry/context-async-hooks": /^bridge\/trace\/otlp-traces\.ts$/,
  "@opentelemetry/sdk-trace": /^bridge\/trace\/otlp-traces\.ts$/,
  "@opentelemetry/exporter-trace-otlp-http": /^bridge\/trace\/otlp-traces\.ts$/,
  "@opentelemetry/exporter-trace-otlp-proto": /^bridge\/trace\/otlp-traces\.ts$/,
  "@opentelemetry/sdk-metrics": /^bridge\/trace\/otlp-metrics\.ts$/,
  "@opentelemetry/exporter-metrics-otlp-http": /^bridge\/trace\/otlp-metrics\.ts$/,
  "@opentelemetry/exporter-metrics-otlp-proto": /^bridge\/trace\/otlp-metrics\.ts$/,
  "@opentelemetry/resources": /^bridge\/trace\/otlp(-[a-z]+)?\.ts$/,
  yaml: /^(bridge\/yaml-config|cli\/(types-source|explain-text|silence-text|history\/state)|cli\/embedded\/(request\/request|embedded|manifest|server))\.ts$/,
  "@marcbachmann/cel-js":
    /^(cli\/embedded\/schema\/schema-rule(-value)?|functions\/kit\/expression\/cel(-[a-z]+)?)\.ts$/,
  "@slack/types": /^functions\/actions\/slack\/block\.ts$/,
  liquidjs: /^functions\/actions\/template\.ts$/,
  zod: /./,
  jose: /^functions\/kit\/serve\/oidc\.ts$/,
  /** What a new function imports stands in the text of its template. */
  "cr-reactor": /^cli\/new-function-template\.ts$/,
  commander: /^cli\/(main|program\/[a-z-]+|completion\/(completion|tree))\.ts$/,
  esbuild: /^build\.ts$/,
};
/** What an idle function must not carry (0.6 s and 90 MB for the first alone). */
const NOT_IN_FUNCTIONS = ["@kubernetes/client-node", "undici", "cloudevents", "prom-client", "@opentelemetry/api"];
/** Load the Kubernetes client with the first request of an action, and OpenTelemetry's SDK where the environment asks for it. */
const LATE_DOORS = ["bridge/kube/kube-access.ts", "bridge/trace/telemetry.ts"];

interface Import {
  readonly from: string;
  /** A file of the project, or the name of a package. */
  readonly to: string;
  readonly lazy: boolean;
}

function importsOf(file: string, text = readFileSync(join(ROOT, file), "utf8")): Import[] {
  const found = text.matchAll(/^(?:import|export)\s(?:[^;"]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/gm);
  return [...found].flatMap(([, eager, lazy]) => {
    const name = eager ?? lazy ?? "";
    const lazily = eager === undefined;
    if (name.startsWith("node:")) return [];
    if (name.startsWith(".")) return [{ from: file, to: normalize(join(dirname(file), name)), lazy: lazily }];
    return [{ from: file, to: ALIASES[name] ?? /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name, lazy: lazily }];
  });
}

/** What each room may open, the most specific room first; tests are free. */
const ROOMS: readonly { readonly room: RegExp; readonly opens: RegExp; readonly rule: string }[] = [
  { room: /^bridge\//, opens: /^bridge\//, rule: "the bridge knows nothing but itself" },
  {
    room: /^functions\/kit\/testing\//,
    opens: /^(functions\/kit\/|bridge\/(contract|fixture)\.ts$)/,
    rule: "tests of functions open the kit, the contract and the fixture",
  },
  {
    room: /^functions\/acting\.ts$/,
    opens: /^functions\/([^/]+|kit\/perform)\.ts$/,
    rule: "the door of actions opens the functions, and how to perform one",
  },
  {
    room: /^functions\/testing\.ts$/,
    opens: /^(functions\/kit\/testing\/|bridge\/fixture\.ts$)/,
    rule: "the door for tests opens nothing but the tests' kit",
  },
  {
    room: /^functions\/kit\//,
    opens: /^(functions\/kit\/|bridge\/contract\.ts$)/,
    rule: "the kit opens nothing but the contract",
  },
  {
    room: /^functions\/actions\//,
    opens: /^(functions\/actions\/|functions\/kit\/kit\.ts$|bridge\/contract\.ts$)/,
    rule: "an action opens the kit and the contract",
  },
  {
    room: /^functions\/serving\.ts$/,
    opens:
      /^(functions\/main\.ts$|functions\/kit\/(serve\/(receiver|serve-settings)|schema\/schema-watch)\.ts$|bridge\/contract\.ts$)/,
    rule: "serving opens main, the receiver, the watch of schemas and the contract",
  },
  {
    room: /^functions\/main\.ts$/,
    opens: /^(functions\/[^/]+\.ts$|functions\/kit\/kit\.ts$|bridge\/contract\.ts$)/,
    rule: "main opens functions, the kit and the contract",
  },
  {
    room: /^functions\//,
    opens: /^(functions\/actions\/|functions\/kit\/kit\.ts$|bridge\/contract\.ts$)/,
    rule: "a function opens actions, the kit and the contract, and knows no other function",
  },
  { room: /^cli\/embedded\//, opens: /^cli\/embedded\//, rule: "the embedded API server knows nothing but itself" },
  {
    room: /^cli\/demo/,
    opens: new RegExp(`${COMMAND_OPENS.source}|^test/kit/`),
    rule: "the demo opens the doors and the test kit",
  },
  {
    room: /^cli\/dev\//,
    opens: new RegExp(`${COMMAND_OPENS.source}|^functions/(kit/testing/(rehearsal|recorded)|actions/echo)\\.ts$`),
    rule: "dev opens the doors, and how functions are rehearsed",
  },
  { room: /^cli\//, opens: COMMAND_OPENS, rule: "a command opens only the doors" },
  { room: /^test\//, opens: /./, rule: "" },
];

/** Why an import is not allowed; `undefined` when it is. */
function violation({ from, to }: Import): string | undefined {
  if (/^(bridge|functions|cli|test)\//.test(to)) {
    const found = ROOMS.find(({ room }) => room.test(from));
    return found?.opens.test(to) ? undefined : (found?.rule ?? "this file belongs to no room");
  }
  if (from.startsWith("test/") || to.endsWith(".json")) return undefined;
  const home = HOMES[to];
  if (home === undefined) return "this package has no home: add one to the table";
  return home.test(from) ? undefined : `the home of ${to} is ${home}`;
}

const files = globSync(["{bridge,functions,cli,test}/**/*.ts", "build.ts"], { cwd: ROOT }).toSorted();
const imports = files.flatMap((file) => importsOf(file));

describe("imports", () => {
  test("are really seen", () => {
    assert.ok(files.length > 80 && imports.length > 300, `${files.length} files, ${imports.length} imports`);
    assert.ok(imports.some(({ from, to, lazy }) => from === "cli/program/trying.ts" && to === "cli/demo.ts" && lazy));
    assert.ok(
      imports.some(({ from, to }) => from === "functions/kit/delivery/subscribe.ts" && to === "bridge/contract.ts"),
    );
  });

  test("point one way, through the doors, and each package has its home", () => {
    const wrong = imports.flatMap((each) => violation(each)?.replace(/^/, `${each.from} → ${each.to}: `) ?? []);
    assert.deepEqual(wrong, []);
  });

  const forbidden = [
    {
      name: "the bridge opening the kit",
      from: "bridge/log/sink.ts",
      text: 'import { x } from "../../functions/kit/kit.ts";',
    },
    {
      name: "the kit opening the bridge past its contract",
      from: "functions/kit/filter/plan.ts",
      text: 'import type { x } from "../../../bridge/sink.ts";',
    },
    {
      name: "the kit opening an action",
      from: "functions/kit/filter/plan.ts",
      text: 'import { x } from "../../actions/slack.ts";',
    },
    {
      name: "a function opening another",
      from: "functions/notify-slack.ts",
      text: 'export { x } from "./trigger-workflow.ts";',
    },
    {
      name: "a second home for nats",
      from: "functions/kit/filter/plan.ts",
      text: 'import {\n  connect,\n} from "nats";',
    },
    { name: "a package without a home", from: "bridge/log/sink.ts", text: 'import "left-pad";' },
    {
      name: "the embedded API server opening the bridge",
      from: "cli/embedded/server.ts",
      text: 'import { x } from "../../bridge/reflector.ts";',
    },
    {
      name: "a command opening the embedded API server past its door",
      from: "cli/demo-cluster.ts",
      text: 'import { x } from "./embedded/storage.ts";',
    },
    {
      name: "a command opening the bridge's inside lazily",
      from: "cli/tail.ts",
      text: 'await import("../bridge/log/sink.ts");',
    },
  ];
  for (const { name, from, text } of forbidden) {
    test(`${name} would be noticed`, () => {
      const [found] = importsOf(from, text);
      assert.ok(found && violation(found));
    });
  }

  test("never go in a circle", () => {
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") return circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      state.set(file, "open");
      for (const { to } of imports.filter(({ from, lazy }) => from === file && !lazy)) visit(to, [...path, file]);
      return state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    assert.deepEqual(circles, []);
  });

  test("of a process that runs functions reach the Kubernetes client and OpenTelemetry's SDK by one door each, which is opened when a function or the environment asks", () => {
    const reached = new Set<string>();
    const visit = (file: string) => {
      if (reached.has(file)) return;
      reached.add(file);
      const isLateDoor = ({ from, lazy }: Import) => lazy && LATE_DOORS.includes(from);
      for (const { to } of imports.filter((each) => each.from === file && !isLateDoor(each))) visit(to);
    };
    const entries = ["functions/main.ts", "cli/run.ts", "cli/serve.ts", "cli/tail.ts", "cli/dead-letters.ts"];
    for (const entry of entries) visit(entry);
    assert.ok(reached.has("nats"));
    assert.deepEqual(
      NOT_IN_FUNCTIONS.filter((name) => reached.has(name)),
      [],
    );
  });
});
