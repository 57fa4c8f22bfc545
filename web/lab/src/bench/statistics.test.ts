import { describe, expect, test } from "vitest";
import { speedup, summarise } from "./statistics.ts";

describe("summarise", () => {
  test("has nothing to say about no runs", () => {
    expect(summarise([])).toBeUndefined();
  });

  test("takes one run for everything", () => {
    expect(summarise([4])).toEqual({
      runs: 1,
      median: 4,
      lowerQuartile: 4,
      upperQuartile: 4,
      least: 4,
      most: 4,
      spread: 0,
    });
  });

  test("sorts by number, not by text, and leaves its input alone", () => {
    const timings = [100, 9, 20];
    expect(summarise(timings)?.median).toBe(20);
    expect(timings).toEqual([100, 9, 20]);
  });

  test("interpolates between runs", () => {
    const summary = summarise([1, 2, 3, 4]);
    expect(summary?.median).toBe(2.5);
    expect(summary?.lowerQuartile).toBe(1.75);
    expect(summary?.upperQuartile).toBe(3.25);
    expect(summary?.spread).toBeCloseTo(0.6);
  });

  test("is not moved by one hiccup", () => {
    expect(summarise([10, 10, 10, 10, 9_000])).toMatchObject({ median: 10, upperQuartile: 10, most: 9_000 });
  });

  test("agrees with counting, whatever the numbers", () => {
    let seed = 7;
    const next = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let size = 1; size < 60; size += 1) {
      const timings = Array.from({ length: size }, () => next() * 1000);
      const summary = summarise(timings);
      if (summary === undefined) throw new Error("some runs have a summary");
      const below = timings.filter((timing) => timing <= summary.median).length;
      const above = timings.filter((timing) => timing >= summary.median).length;
      expect(below).toBeGreaterThanOrEqual(size / 2);
      expect(above).toBeGreaterThanOrEqual(size / 2);
      expect(summary.least).toBeLessThanOrEqual(summary.lowerQuartile);
      expect(summary.upperQuartile).toBeLessThanOrEqual(summary.most);
    }
  });
});

test("a speed-up needs two times that can be compared", () => {
  expect(speedup(100, 20)).toBe(5);
  expect(speedup(100, 0)).toBeUndefined();
  expect(speedup(Number.NaN, 1)).toBeUndefined();
});
