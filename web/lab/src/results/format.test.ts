import { expect, test } from "vitest";
import { bytesText, durationText, ratioText, shareText, significant } from "./format.ts";

test.each([
  [0, "0"],
  [0.0123456, "0.0123"],
  [4.567, "4.57"],
  [99.95, "100"],
  [999.4, "999"],
  [1250.4, "1,250"],
  [1.5e-9, "1.50e-9"],
  [Number.NaN, "–"],
])("%d has three significant digits: %s", (value, text) => {
  expect(significant(value)).toBe(text);
});

test.each([
  [12_345, "12.3 s"],
  [1_250, "1,250 ms"],
  [12.34, "12.3 ms"],
  [0.0456, "45.6 µs"],
  [0.000_004_5, "4.50 ns"],
  [0, "0 ms"],
  [Number.NaN, "–"],
])("%d ms is %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("ratios keep two digits, and three from ten on", () => {
  expect([0.53, 1, 4.25, 18.24, 123.4].map(ratioText)).toEqual(["×0.53", "×1.0", "×4.3", "×18.2", "×123"]);
  expect(ratioText(undefined)).toBe("–");
});

test("shares are percentages", () => {
  expect([0.004, 0.0994, 0.123].map(shareText)).toEqual(["0.4 %", "9.9 %", "12 %"]);
});

test("bytes are binary", () => {
  expect([0, 1023, 1024, 64 << 20, 3 * 2 ** 31].map(bytesText)).toEqual([
    "0 bytes",
    "1,023 bytes",
    "1.00 KiB",
    "64.0 MiB",
    "6.00 GiB",
  ]);
});
