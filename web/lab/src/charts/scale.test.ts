import { describe, expect, test } from "vitest";
import { ratioScaleFor } from "./ratioScale.ts";
import { scaleFor, type Scale, type ScaleKind } from "./scale.ts";

const labels = (scale: Scale | undefined): string[] => scale?.marks.flatMap(({ label }) => label ?? []) ?? [];

test("nothing to show has no scale", () => {
  expect(scaleFor("log", [])).toBeUndefined();
  expect(scaleFor("linear", [0, Number.NaN])).toBeUndefined();
});

describe.each<ScaleKind>(["log", "linear"])("%s", (kind) => {
  test.each([[[1, 2]], [[0.004, 900]], [[3.7]], [[1e-5, 3e5]]])("%j fit, in their order", (timings) => {
    const scale = scaleFor(kind, timings);
    const places = timings.map((ms) => scale?.position(ms) ?? Number.NaN);
    for (const place of places) expect(place).toBeGreaterThanOrEqual(0);
    for (const place of places) expect(place).toBeLessThan(100);
    expect(places).toEqual([...places].sort((one, two) => one - two));
  });

  test("graduations ascend and stay on the axis", () => {
    const at = scaleFor(kind, [0.3, 47])?.marks.map((mark) => mark.at) ?? [];
    expect(at).toEqual([...at].sort((one, two) => one - two));
    expect(Math.min(...at)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...at)).toBeLessThanOrEqual(100);
  });
});

test("labels are round and have units", () => {
  expect(labels(scaleFor("log", [3, 40]))).toEqual(["2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]);
  expect(labels(scaleFor("log", [0.02, 900]))).toEqual(["10 µs", "0.1 ms", "1 ms", "10 ms", "100 ms", "1000 ms"]);
  expect(labels(scaleFor("linear", [41]))).toEqual(["0 ms", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"]);
});

test("ratios have room on both sides of one", () => {
  const scale = ratioScaleFor([0.2, 45]);
  expect(scale.position(0.2)).toBeGreaterThan(0);
  expect(scale.position(45)).toBeLessThan(100);
  expect(scale.position(1)).toBeGreaterThan(scale.position(0.2));
  expect(ratioScaleFor([]).marks.some(({ label }) => label === "×1")).toBe(true);
});
