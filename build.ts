/**
 * `npm run build`: makes dist/, which the npm package and the container consist of. The bundles share their chunks: `cr-reactor.js` (the
 * command line) loads `bridge.js`, `functions.js` or `serving.js` when that command is used, and none of them holds code of another.
 * Beside them `index.js` and `testing.js` with their declarations, the doors for users' functions, out of the same chunks, so that a
 * function and the kit that runs it have one and the same classes. The same sources give the same bytes, in whatever folder.
 */
import { execFile } from "node:child_process";
import { chmodSync, globSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { build as bundle, type Metafile } from "esbuild";

/** What a build made. */
export interface Build {
  /** The bundles, sorted by name. */
  readonly bundles: readonly Bundle[];
  /** The sources in what `file` loads at once, without what it loads later, as paths from the project's folder. */
  inputsOf(file: string): readonly string[];
}

/** One JavaScript file of dist/ that something starts from. */
export interface Bundle {
  readonly file: string;
  readonly bytes: number;
  /** With all chunks that it loads at once. */
  readonly eagerBytes: number;
}

const ROOT = import.meta.dirname;

/** The bundles: what each is called in dist/, and where it begins. */
const ENTRIES = {
  "cr-reactor": "cli/main.ts",
  bridge: "cli/bridge.ts",
  functions: "cli/run.ts",
  serving: "cli/serve.ts",
  index: "functions/door.ts",
  testing: "functions/testing.ts",
} as const;

/** Those that others import, with declarations beside them. */
const DOORS = ["index", "testing"] as const;

/** The oldest Node of package.json's `engines`. */
const TARGET = "node24.12";

/** CommonJS packages inside ask for Node's modules with `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);`;

if (import.meta.main) report(await build(join(ROOT, "dist")));

/** Builds into `outdir`, whose old content is removed. Throws esbuild's errors, or tsc's with its output. */
export async function build(outdir: string): Promise<Build> {
  rmSync(outdir, { recursive: true, force: true });
  const [{ metafile }] = await Promise.all([bundleSources(outdir), declare(outdir)]);
  chmodSync(join(outdir, "cr-reactor.js"), 0o755);
  writeFileSync(join(outdir, "THIRD-PARTY-LICENSES.txt"), licenses(Object.keys(metafile.inputs)));
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [relative(outdir, join(ROOT, path)), output]),
  );
  const eager = (file: string): readonly string[] => {
    const seen = new Set<string>();
    const visit = (name: string) => {
      if (seen.has(name)) return;
      seen.add(name);
      for (const { path, kind, external } of outputs.get(name)?.imports ?? []) {
        if (!external && kind !== "dynamic-import") visit(relative(outdir, join(ROOT, path)));
      }
    };
    visit(file);
    return [...seen];
  };
  const bytesOf = (file: string) => outputs.get(file)?.bytes ?? 0;
  const lazy = [...outputs.keys()].filter((file) => outputs.get(file)?.entryPoint !== undefined);
  return {
    bundles: lazy.toSorted().map((file) => {
      return { file, bytes: bytesOf(file), eagerBytes: eager(file).reduce((sum, each) => sum + bytesOf(each), 0) };
    }),
    inputsOf: (file) => eager(file).flatMap((each) => Object.keys(outputs.get(each)?.inputs ?? {})),
  };
}

/** Names and lines stay as they are, so that a stack trace can be read; that costs a fifth of the size and no time. */
async function bundleSources(outdir: string): Promise<{ readonly metafile: Metafile }> {
  return await bundle({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: TARGET,
    preserveSymlinks: true, // paths are part of the bytes: node_modules may be a link to another place
    chunkNames: "[name]-[hash]", // beside the entries: the servers' go.mod is looked for relative to the chunk
    banner: { js: REQUIRE },
    minifySyntax: true,
    legalComments: "none", // all of them are in THIRD-PARTY-LICENSES.txt
    metafile: true,
  });
}

/** Declarations of the door and what it leads to, without this project's own ways of importing. */
async function declare(outdir: string): Promise<void> {
  const types = join(outdir, "types");
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const args = ["--project", join(ROOT, "tsconfig.declarations.json"), "--outDir", types];
  await promisify(execFile)(process.execPath, [tsc, ...args]).catch((cause) => {
    throw new Error(`tsc cannot declare the doors:\n${cause.stdout || cause.message}`, { cause });
  });
  const { imports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    imports: Record<string, string>;
  };
  for (const file of globSync("**/*.d.ts", { cwd: types })) {
    const path = join(types, file);
    const text = readFileSync(path, "utf8").replace(/(?<=\bfrom |\bimport\()"([#.][^"]*)"/g, (_, name: string) => {
      const home = imports[name];
      const target = home === undefined ? name : relative(dirname(file), home);
      return JSON.stringify(`${target.startsWith(".") ? "" : "./"}${target.replace(/\.ts$/, ".js")}`);
    });
    writeFileSync(path, text);
  }
  for (const door of DOORS)
    writeFileSync(join(outdir, `${door}.d.ts`), `export * from "./types/${ENTRIES[door].replace(/\.ts$/, ".js")}";\n`);
}

/** The licenses of everything inside, which must go along with it. */
function licenses(inputs: readonly string[]): string {
  const folders = inputs.flatMap((path) => /^.*\bnode_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  const texts = [...new Set(folders)].map((folder) => {
    const path = join(ROOT, folder);
    const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Record<string, unknown>;
    const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name) && statSync(join(path, name)).isFile());
    const title = `${manifest["name"]} ${manifest["version"]} (${manifest["license"]})`;
    return file === undefined ? title : `${title}\n\n${readFileSync(join(path, file), "utf8").trim()}`;
  });
  return `${texts.toSorted().join(`\n\n${"-".repeat(80)}\n`)}\n`;
}

function report({ bundles }: Build): void {
  const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`.padStart(11);
  const line = (name: string, own: string, eager: string) => `${name.padEnd(32)}${own.padStart(11)}  ${eager}\n`;
  process.stdout.write(line("dist/", "alone", "with what it loads at once"));
  for (const { file, bytes, eagerBytes } of bundles)
    process.stdout.write(line(file, kilobytes(bytes), kilobytes(eagerBytes)));
}
