/**
 * What a release is made of: builds that give the same bytes, a bill of materials, and the steps of .ci/release, run with stand-ins for the
 * tools that publish. What those do with it is not tested here.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, describe, test } from "node:test";
import { z } from "zod";
import { build } from "../build.ts";
import { createDataFolder } from "./kit/data-folder.ts";

const ROOT = join(import.meta.dirname, "..");
const { version, dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
};
const folder = createDataFolder("release");
after(() => folder.remove());

/** What the schema of CycloneDX 1.6 allows of these, and nothing else; its own validator (cyclonedx-library 10) found no error on 2026-11-21. */
const Package = {
  ...{ "bom-ref": z.string().min(1), name: z.string(), version: z.string(), purl: z.string() },
  licenses: z.array(z.strictObject({ expression: z.string() })).length(1),
};
const Hash = z.strictObject({ alg: z.literal("SHA-512"), content: z.string().regex(/^[0-9a-f]{128}$/) });
const Component = z.strictObject({ type: z.literal("library"), ...Package, hashes: z.array(Hash).length(1) });
const Bom = z.strictObject({
  ...{ bomFormat: z.literal("CycloneDX"), specVersion: z.literal("1.6"), version: z.literal(1) },
  metadata: z.strictObject({ component: z.strictObject({ type: z.literal("application"), ...Package }) }),
  components: z.array(Component).refine((all) => new Set(all.map((each) => each["bom-ref"])).size === all.length),
});
/** Dependencies of which nothing is left in the bundles. */
const TYPES_ONLY: readonly string[] = [];

describe("a release", () => {
  test("has the same bytes whoever builds it", async () => {
    const folders = ["one", "another"].map((name) => join(folder.path, name));
    for (const each of folders) await build(each);
    const [one = "", another = ""] = folders;
    const files = globSync("**/*", { cwd: one }).filter((file) => statSync(join(one, file)).isFile());
    assert.deepEqual(
      files.toSorted(),
      globSync("**/*", { cwd: another })
        .filter((file) => statSync(join(another, file)).isFile())
        .toSorted(),
    );
    for (const file of files) assert.ok(readFileSync(join(one, file)).equals(readFileSync(join(another, file))), file);
    assert.ok(files.length > 50);
  });

  test("has a bill of materials that names everything it is bundled from, with version, license and hash", () => {
    const { components } = Bom.parse(JSON.parse(readFileSync(join(folder.path, "one", "cr-reactor.cdx.json"), "utf8")));
    const licensed = readFileSync(join(folder.path, "one", "THIRD-PARTY-LICENSES.txt"), "utf8");
    assert.deepEqual(
      Object.keys(dependencies).filter((name) => !components.some((each) => each.name === name)),
      TYPES_ONLY,
    );
    for (const { name, version: has, purl, licenses, hashes } of components) {
      assert.ok(licensed.includes(`${name} ${has} (${licenses[0]?.expression})`), name);
      assert.equal(purl, `pkg:npm/${name.replace("@", "%40")}@${has}`);
      assert.match(hashes[0]?.content ?? "", /^[0-9a-f]{128}$/);
    }
  });

  /** A checkout in which the tools only write down what they were told. */
  const release = (
    name: string,
    { tag = `v${version}`, image = "registry.example.com/cr-reactor", changes = "" } = {},
  ) => {
    const checkout = join(folder.path, name);
    const bin = join(checkout, "bin");
    mkdirSync(bin, { recursive: true });
    mkdirSync(join(checkout, ".ci"));
    for (const file of [".ci/release", "package.json", "manifests/images/kustomization.yaml"])
      cpSync(join(ROOT, file), join(checkout, file));
    writeFileSync(join(checkout, "CHANGELOG.md"), `## ${version}\n`);
    const stand = (path: string, body = "") => {
      writeFileSync(path, `#!/bin/sh\necho "$(basename "$0") $*" >> "${checkout}/calls"\n${body}\n`);
      chmodSync(path, 0o755);
    };
    stand(join(checkout, ".ci/run"));
    stand(join(bin, "npm"), "echo '{}'");
    stand(join(bin, "cosign"));
    stand(
      join(bin, "docker"),
      `while [ $# -gt 0 ]; do [ "$1" = --metadata-file ] && echo '{"containerimage.digest":"sha256:abc"}' > "$2"; shift; done`,
    );
    const git = `case "$1" in status) printf '%s' '${changes}';; describe) [ "$5" = '${tag}' ] || exit 1;; log) echo 1;; esac`;
    stand(join(bin, "git"), git);
    symlinkSync(process.execPath, join(bin, "node"));
    const env = { ...process.env, IMAGE: image, PATH: `${bin}${delimiter}${process.env["PATH"]}` };
    const { status, stdout, stderr } = spawnSync(join(checkout, ".ci/release"), { env, encoding: "utf8" });
    const calls = readFileSync(join(checkout, "calls"), { encoding: "utf8", flag: "a+" })
      .split("\n")
      .filter((call) => call !== "");
    return { status, stdout, stderr, published: calls.filter((call) => !call.startsWith("git ")) };
  };

  test("is checked, built with provenance, signed by its digest, then published", () => {
    const { status, stdout, stderr, published } = release("good");
    assert.equal(status, 0, stderr);
    const reference = "registry.example.com/cr-reactor@sha256:abc";
    assert.deepEqual(
      published.map((call) => call.replace(/\/\S*\/(?=image\.json)/, "")),
      [
        "run ",
        "npm run build",
        `docker buildx build --platform linux/amd64,linux/arm64 --provenance mode=max --sbom true --output type=image,push=true,rewrite-timestamp=true --metadata-file image.json --tag registry.example.com/cr-reactor:${version} .`,
        `cosign sign --yes ${reference}`,
        `cosign attest --yes --type cyclonedx --predicate dist/cr-reactor.cdx.json ${reference}`,
        "npm publish --provenance --access public",
      ],
    );
    assert.equal(stdout.split("\n").at(-2), `registry.example.com/cr-reactor:${version}@sha256:abc`);
  });

  for (const { name, given, says } of [
    { name: "HEAD is not tagged with its version", given: { tag: "v9.9.9" }, says: /HEAD has no tag v/ },
    { name: "something is not committed", given: { changes: " M README.md" }, says: /not committed/ },
    { name: "nobody says where the image goes", given: { image: "" }, says: /name the image/ },
  ]) {
    test(`publishes nothing when ${name}`, () => {
      const { status, stderr, published } = release(name.replaceAll(" ", "-"), given);
      assert.notEqual(status, 0);
      assert.match(stderr, says);
      assert.deepEqual(published, []);
    });
  }
});
