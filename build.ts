/**
 * `npm run build`: makes dist/, which the npm package and the container consist of. The bundles share their chunks: `cr-reactor.js` (the
 * command line) loads `bridge.js`, `functions.js` or `serving.js` when that command is used, and none of them holds code of another.
 * Beside them `index.js`, `testing.js` and `actions.js` with their declarations, the doors for users' functions, out of the same chunks, so that a
 * function and the kit that runs it have one and the same classes. The same sources give the same bytes, in whatever folder.
 */
import { execFile } from "node:child_process";
import { chmodSync, globSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { build as bundle, type Metafile, type Plugin } from "esbuild";

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
  actions: "functions/acting.ts",
} as const;

/** Those that others import, with declarations beside them. */
const DOORS = ["index", "testing", "actions"] as const;

/** The oldest Node of package.json's `engines`. */
const TARGET = "node24.12";

/** CommonJS packages inside ask for Node's modules with `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);`;

/**
 * Of `import { z }` esbuild leaves nothing out, of `import * as z` what nobody uses: the fifty languages of its messages, which would be half of all that a
 * process of functions loads (measured: 8 MB of its memory).
 */
const USED_OF_ZOD: Plugin = {
  name: "what is used of zod",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: text.replace(/^import \{ z \} from "zod";$/m, 'import * as z from "zod";'), loader: "ts" };
    });
  },
};

if (import.meta.main) report(await build(join(ROOT, "dist")));

/** Builds into `outdir`, whose old content is removed. Throws esbuild's errors, or tsc's with its output. */
export async function build(outdir: string): Promise<Build> {
  rmSync(outdir, { recursive: true, force: true });
  const [{ metafile }] = await Promise.all([bundleSources(outdir), declare(outdir)]);
  keepToAscii(outdir);
  chmodSync(join(outdir, "cr-reactor.js"), 0o755);
  const packages = packagesIn(Object.keys(metafile.inputs));
  writeFileSync(join(outdir, "THIRD-PARTY-LICENSES.txt"), licenses(packages));
  writeFileSync(join(outdir, "cr-reactor.cdx.json"), billOfMaterials(packages));
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
    plugins: [USED_OF_ZOD],
  });
}

/**
 * Node keeps a bundle's text as long as the process lives, and takes two bytes for each character as soon as one is not Latin. esbuild leaves such as
 * they are in regular expressions and comments; an escape means the same there, and in texts.
 */
function keepToAscii(outdir: string): void {
  for (const file of globSync("*.js", { cwd: outdir })) {
    const path = join(outdir, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(
      path,
      text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
  }
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

interface Package {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** Those that something in the bundles comes from. */
function packagesIn(inputs: readonly string[]): readonly Package[] {
  const folders = inputs.flatMap((path) => /^.*\bnode_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)].toSorted().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as Package;
    return { folder, name, version, license };
  });
}

/** The licenses of everything inside, which must go along with it. */
function licenses(packages: readonly Package[]): string {
  const texts = packages.map(({ folder, name, version, license }) => {
    const path = join(ROOT, folder);
    const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each) && statSync(join(path, each)).isFile());
    const title = `${name} ${version} (${license})`;
    return file === undefined ? title : `${title}\n\n${readFileSync(join(path, file), "utf8").trim()}`;
  });
  return `${texts.toSorted().join(`\n\n${"-".repeat(80)}\n`)}\n`;
}

/**
 * The bill of materials of the bundles, as CycloneDX 1.6, without a time or number of its own so that the bytes stay the same. Not by `npm sbom`:
 * with `--omit dev` it leaves out what a development dependency uses as well, zod for one (npm 11.19).
 */
function billOfMaterials(packages: readonly Package[]): string {
  const own = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Package;
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { integrity?: string }>;
  };
  const component = (type: string, { folder, name, version, license }: Package) => {
    const purl = `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;
    const sha512 = /^sha512-(.*)$/.exec(lock.packages[folder]?.integrity ?? "")?.[1];
    const content = sha512 && Buffer.from(sha512, "base64").toString("hex");
    const licenses = [{ expression: license }];
    return {
      type,
      "bom-ref": folder,
      name,
      version,
      purl,
      licenses,
      ...(content && { hashes: [{ alg: "SHA-512", content }] }),
    };
  };
  const bom = {
    ...{ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 },
    metadata: { component: component("application", { ...own, folder: "." }) },
    components: packages.map((each) => component("library", each)),
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

function report({ bundles }: Build): void {
  const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`.padStart(11);
  const line = (name: string, own: string, eager: string) => `${name.padEnd(32)}${own.padStart(11)}  ${eager}\n`;
  process.stdout.write(line("dist/", "alone", "with what it loads at once"));
  for (const { file, bytes, eagerBytes } of bundles)
    process.stdout.write(line(file, kilobytes(bytes), kilobytes(eagerBytes)));
}
