/**
 * `cr-reactor new function`: a function of one's own with its test, ready to run, in the folder of the shell. Nothing that is there is
 * changed: what is missing around the function (package.json, tsconfig.json, subscriptions.yaml) is written, the rest is told.
 */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Selection, Subscription } from "#kit";
import {
  entryText,
  functionText,
  type NewFunction,
  packageText,
  subscriptionsText,
  testText,
  tsconfigText,
} from "./new-function-template.ts";
import { paint, print } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** The function cannot be made here, or not under this name. */
class NewFunctionError extends Error {
  readonly code = "NEW_FUNCTION";
  override readonly name = "NewFunctionError";
}

/** Writes the files and says what comes next. Throws NewFunctionError before anything is written. */
export async function newFunctionCommand(name: string, options: { readonly kind: string }): Promise<void> {
  const made: NewFunction = { name: nameOf(name), ...kindOf(options.kind) };
  const own = [
    { path: join(name, `${name}.ts`), text: functionText(made) },
    { path: join(name, `${name}.test.ts`), text: testText(made) },
  ];
  const taken = own.find(({ path }) => existsSync(path));
  if (taken !== undefined)
    throw new NewFunctionError(`${taken.path} is there already: choose another name, or remove it`);
  const around = [
    { path: "package.json", text: packageText(basename(resolve(".")), VERSION) },
    { path: "tsconfig.json", text: tsconfigText() },
    { path: "subscriptions.yaml", text: subscriptionsText(made) },
  ].map((file) => ({ ...file, isThere: existsSync(file.path) }));
  for (const { path, text } of [...own, ...around.filter(({ isThere }) => !isThere)]) {
    await mkdir(dirname(path), { recursive: true });
    // Refused where something came to be since.
    await writeFile(path, text, { flag: "wx" });
    print(`${paint("green", "wrote")} ${path}`);
  }
  const isThere = (path: string) => around.some((file) => file.path === path && file.isThere);
  if (isThere("subscriptions.yaml")) print(`\nAdd to subscriptions.yaml:\n\n${entryText(made)}`);
  print("\nNext:");
  print(isThere("package.json") ? `  npm install cr-reactor@${VERSION} zod` : "  npm install");
  print(`  node --test ${name}/${name}.test.ts`);
  print("  npx cr-reactor run --subscriptions subscriptions.yaml");
}

function nameOf(name: string): string {
  const parsed = Subscription.shape.name.safeParse(name);
  if (parsed.success) return name;
  throw new NewFunctionError(`"${name}" is no name for a function: ${parsed.error.issues[0]?.message}`);
}

/** `Database.demo.example.com/v1`; of the core group `ConfigMap.v1`. */
function kindOf(text: string): Pick<NewFunction, "apiVersion" | "kind"> {
  const dot = text.indexOf(".");
  const [kind, apiVersion] = dot < 0 ? [text, ""] : [text.slice(0, dot), text.slice(dot + 1)];
  if (Selection.safeParse({ kind, apiVersion }).success) return { kind, apiVersion };
  throw new NewFunctionError(
    `"${text}" is no kind with its version: expected one such as Database.demo.example.com/v1`,
  );
}
