/** Versions such as `2.12.0` or `v1.36.3+k3s1`, compared by their numbers; what stands behind them does not count. */

/** Whether the version is the minimum or newer; a part that the minimum leaves out may be anything. */
export function isAtLeast(version: string, minimum: string): boolean {
  const [found, wanted] = [numbersOf(version), numbersOf(minimum)];
  for (const [index, number] of wanted.entries()) {
    const difference = (found[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function numbersOf(version: string): number[] {
  return /\d+(?:\.\d+)*/.exec(version)?.[0].split(".").map(Number) ?? [];
}
