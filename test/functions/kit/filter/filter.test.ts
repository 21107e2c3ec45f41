import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { Filter } from "../../../../functions/kit/filter/filter.ts";

describe("the filter's schema refuses", () => {
  for (const { name, yaml, problem } of [
    { name: "an empty filter", yaml: "{}", problem: /is empty: name a condition/ },
    { name: "an unknown condition", yaml: "{ phse: { to: x } }", problem: /Unrecognized key: "phse"/ },
    { name: "an unknown key of a condition", yaml: "{ phase: { too: x } }", problem: /Unrecognized key: "too"/ },
    { name: "created: false", yaml: "{ created: false }", problem: /write not: \{/ },
    {
      name: "a path that cannot be read",
      yaml: "{ field: { path: 'spec..x' } }",
      problem: /write it as spec\.replicas/,
    },
    { name: "an empty list", yaml: "{ any: [] }", problem: /name at least one filter/ },
    { name: "an empty filter deep inside", yaml: "{ not: { all: [{}] } }", problem: /is empty/ },
  ]) {
    test(name, () => {
      const parsed = Filter.safeParse(parse(yaml));
      assert.match(parsed.error?.issues.map((issue) => issue.message).join() ?? "accepted", problem);
    });
  }
});
