import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createBackoff, REFLECTOR_BACKOFF } from "../../bridge/backoff.ts";

describe("backoff", () => {
  test("doubles from 0.8 s to 30 s, as client-go's reflector does", () => {
    const backoff = createBackoff(
      REFLECTOR_BACKOFF,
      () => 0,
      () => 0,
    );
    assert.deepEqual(
      Array.from({ length: 7 }, () => backoff.nextMs()),
      [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000],
    );
  });

  test("adds up to as much jitter again", () => {
    assert.equal(
      createBackoff(
        REFLECTOR_BACKOFF,
        () => 1,
        () => 0,
      ).nextMs(),
      1_600,
    );
  });

  test("forgets after two quiet minutes", () => {
    let now = 0;
    const backoff = createBackoff(
      REFLECTOR_BACKOFF,
      () => 0,
      () => now,
    );
    backoff.nextMs();
    backoff.nextMs();
    now = 120_001;
    assert.equal(backoff.nextMs(), 800);
  });

  test("keeps to a Retry-After that is longer", () => {
    assert.equal(
      createBackoff(
        REFLECTOR_BACKOFF,
        () => 0,
        () => 0,
      ).nextMs(5_000),
      5_000,
    );
  });

  test("ends its wait when it is told to stop", async () => {
    await assert.rejects(createBackoff(REFLECTOR_BACKOFF).wait(AbortSignal.abort()), { name: "AbortError" });
  });
});
