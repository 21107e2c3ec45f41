/** Maintenance windows: exact over changes of clocks, in zones that have both. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SilenceSettings } from "../../../../functions/kit/silence/silence.ts";
import { MaintenanceWindow, windowClock } from "../../../../functions/kit/silence/window.ts";

/** The window that is on at each time, as begin and end without year and seconds; `-`: none. */
const rows: readonly { name: string; cron: string; zone: string; for: string; at: Readonly<Record<string, string>> }[] =
  [
    {
      name: "begins on the second, and is over at its end",
      ...{ cron: "0 2 * * *", zone: "Europe/Berlin", for: "4h" },
      at: {
        "2026-01-10T00:59:59.999Z": "-",
        "2026-01-10T01:00:00.000Z": "01-10T01:00 01-10T05:00",
        "2026-01-10T04:59:59.999Z": "01-10T01:00 01-10T05:00",
        "2026-01-10T05:00:00.000Z": "-",
      },
    },
    {
      name: "that begins where clocks go forward begins at the end of the gap, and is as long as ever",
      ...{ cron: "30 2 * * *", zone: "Europe/Berlin", for: "1h" },
      at: {
        "2026-03-29T00:59:59.999Z": "-",
        "2026-03-29T01:00:00.000Z": "03-29T01:00 03-29T02:00",
        "2026-03-29T02:00:00.000Z": "-",
        "2026-03-30T00:30:00.000Z": "03-30T00:30 03-30T01:30",
      },
    },
    {
      name: "that begins where clocks go back begins once, the first time",
      ...{ cron: "30 2 * * *", zone: "Europe/Berlin", for: "30m" },
      at: {
        "2026-10-25T00:30:00.000Z": "10-25T00:30 10-25T01:00",
        "2026-10-25T01:00:00.000Z": "-",
        "2026-10-25T01:30:00.000Z": "-",
        "2026-10-26T01:30:00.000Z": "10-26T01:30 10-26T02:00",
      },
    },
    {
      name: "of each hour has the hour that comes twice twice",
      ...{ cron: "0 * * * *", zone: "Europe/Berlin", for: "10m" },
      at: {
        "2026-10-25T00:05:00.000Z": "10-25T00:00 10-25T00:10",
        "2026-10-25T01:05:00.000Z": "10-25T01:00 10-25T01:10",
        "2026-10-25T02:05:00.000Z": "10-25T02:00 10-25T02:10",
      },
    },
    {
      name: "over the change itself lasts its real time, whatever the clocks show",
      ...{ cron: "0 22 * * sat", zone: "America/New_York", for: "8h" },
      at: {
        "2026-03-08T03:00:00.000Z": "03-08T03:00 03-08T11:00",
        "2026-03-08T10:59:59.999Z": "03-08T03:00 03-08T11:00",
        "2026-11-01T02:00:00.000Z": "11-01T02:00 11-01T10:00",
        "2026-11-01T10:00:00.000Z": "-",
      },
    },
    {
      name: "in a zone that changes by half an hour, south of the equator",
      ...{ cron: "15 2 * * *", zone: "Australia/Lord_Howe", for: "20m" },
      at: {
        "2026-04-04T15:45:00.000Z": "04-04T15:45 04-04T16:05",
        "2026-10-03T15:30:00.000Z": "10-03T15:30 10-03T15:50",
        "2026-10-04T15:15:00.000Z": "10-04T15:15 10-04T15:35",
      },
    },
    {
      name: "at midnight where midnight is left out",
      ...{ cron: "0 0 * * *", zone: "America/Santiago", for: "1h" },
      at: {
        "2026-09-06T04:00:00.000Z": "09-06T04:00 09-06T05:00",
        "2026-09-07T03:00:00.000Z": "09-07T03:00 09-07T04:00",
      },
    },
  ];

const shown = (ms: number) => new Date(ms).toISOString().slice(5, 16);

describe("a window", () => {
  for (const { name, at, ...settings } of rows) {
    const expected = Object.values(at);
    const found = (times: readonly string[], clock = windowClock(MaintenanceWindow.parse(settings))) =>
      times.map((time) => {
        const on = clock.at(Date.parse(time));
        return on === undefined ? "-" : `${shown(on.beginsMs)} ${shown(on.endsMs)}`;
      });
    test(name, () => {
      const times = Object.keys(at);
      assert.deepEqual(found(times), expected);
      assert.deepEqual(found(times.toReversed()), expected.toReversed(), "asked backwards");
    });
  }

  test("tells when it is next", () => {
    const clock = windowClock({ cron: "0 2 * * sun", zone: "Europe/Berlin", for: "4h" });
    assert.equal(shown(clock.next(Date.parse("2026-03-25T12:00:00Z"))?.beginsMs ?? 0), "03-29T01:00");
  });

  const refused: readonly { name: string; window: object; problem: RegExp }[] = [
    { name: "a zone that does not exist", window: { zone: "Mars/Phobos" }, problem: /time zone of the IANA database/ },
    { name: "seconds", window: { cron: "0 0 2 * * *" }, problem: /minute, hour, day of the month/ },
    { name: "an hour 25", window: { cron: "0 25 * * *" }, problem: /Invalid value for hour/ },
    { name: "the 30th of February", window: { cron: "0 0 30 2 *" }, problem: /never begins/ },
    {
      name: "windows that run into each other",
      window: { cron: "0 * * * *", for: "2h" },
      problem: /run into each other/,
    },
    { name: "a nickname", window: { cron: "@daily" }, problem: /minute, hour/ },
    { name: "no length", window: { for: undefined }, problem: /expected a time such as 30s/ },
  ];
  for (const { name, window, problem } of refused) {
    test(`refuses ${name}`, () => {
      const settings = { cron: "0 2 * * *", zone: "Europe/Berlin", for: "1h", ...window };
      const parsed = MaintenanceWindow.safeParse(settings);
      assert.match(parsed.error?.message ?? "", problem);
    });
  }
});

describe("silences of a file", () => {
  const window = { cron: "0 2 * * *", zone: "UTC", for: "1h" };
  const refused: readonly { name: string; silences: readonly object[]; problem: RegExp }[] = [
    { name: "that say no time", silences: [{ name: "a" }], problem: /one of window, annotation and label/ },
    {
      name: "that say two",
      silences: [{ name: "a", window, label: "x" }],
      problem: /one of window, annotation and label/,
    },
    {
      name: "of the same name",
      silences: [
        { name: "a", window },
        { name: "a", label: "x" },
      ],
      problem: /another one too/,
    },
    { name: "with a key that is none", silences: [{ name: "a", label: "a b" }], problem: /expected a key/ },
    {
      name: "with a window of a namespace",
      silences: [{ name: "a", window, of: "namespace" }],
      problem: /needs no namespace/,
    },
    { name: "with a filter that is none", silences: [{ name: "a", window, when: { phse: {} } }], problem: /phse/ },
  ];
  for (const { name, silences, problem } of refused)
    test(`${name} are refused`, () => assert.match(SilenceSettings.safeParse(silences).error?.message ?? "", problem));
});
