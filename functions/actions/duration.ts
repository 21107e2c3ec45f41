/** A length of time in the words of people: the two largest units, because nobody asks for the seconds of a day. */

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];

/** `8123` is "2 h 15 m". Takes whole seconds, not negative. */
export function durationInWords(seconds: number): string {
  const largest = UNITS.findIndex(([, size]) => seconds >= size);
  if (largest < 0) return "less than 1 s";
  let rest = seconds;
  const words: string[] = [];
  for (const [name, size] of UNITS.slice(largest, largest + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) words.push(`${count} ${name}`);
  }
  return words.join(" ");
}
