/** The version of this program, from package.json; the bundler puts the file's content here. */
import manifest from "../package.json" with { type: "json" };

/** Such as `0.1.0`. */
export const VERSION: string = manifest.version;
