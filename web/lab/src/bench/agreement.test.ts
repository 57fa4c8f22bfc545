import { describe, expect, test } from "vitest";
import { agreeAsJson } from "../experiments/sort.ts";
import { agreeExactly, agreeRelatively, agreeWithinLevels, type Outcome } from "./agreement.ts";

const bytes = (...values: number[]): Outcome => ({ form: "bytes", values: Uint8Array.from(values) });
const floats = (...values: number[]): Outcome => ({ form: "floats", values: Float64Array.from(values) });
const text = (value: string): Outcome => ({ form: "text", text: value });
const json = (value: string): Outcome => ({ form: "bytes", values: new TextEncoder().encode(value) });

describe("exactly", () => {
  test("equal text and equal values are equal", () => {
    expect(agreeExactly(text("cafe"), text("cafe"))).toEqual({ verdict: "equal" });
    expect(agreeExactly(bytes(1, 2), bytes(1, 2))).toEqual({ verdict: "equal" });
  });

  test("a difference is named with its place", () => {
    expect(agreeExactly(bytes(1, 2, 3), bytes(1, 2, 4))).toEqual({
      verdict: "different",
      difference: "first at position 2",
    });
  });

  test("neither other lengths nor other forms are equal", () => {
    expect(agreeExactly(bytes(1), bytes(1, 2)).verdict).toBe("different");
    expect(agreeExactly(text("1"), bytes(1)).verdict).toBe("different");
  });
});

describe("within levels", () => {
  const agree = agreeWithinLevels(2);
  test.each([
    [[10, 20], "equal"],
    [[12, 18], "close"],
    [[13, 20], "different"],
  ] as const)("%j beside 10, 20 is %s", (values, verdict) => {
    expect(agree(bytes(10, 20), bytes(...values)).verdict).toBe(verdict);
  });
});

describe("relatively", () => {
  const agree = agreeRelatively(1e-6);
  test("the measure is the largest magnitude, not each value's own", () => {
    expect(agree(floats(1000, 0), floats(1000, 0.000_5)).verdict).toBe("close");
    expect(agree(floats(1, 0), floats(1, 0.000_5)).verdict).toBe("different");
  });

  test("not a number agrees with nothing", () => {
    expect(agree(floats(1, 2), floats(1, Number.NaN)).verdict).toBe("different");
    expect(agree(floats(1, Number.NaN), floats(1, 2)).verdict).toBe("different");
  });

  test("all zeros agree with zeros only", () => {
    expect(agree(floats(0, 0), floats(0, 0)).verdict).toBe("equal");
    expect(agree(floats(0, 0), floats(0, 1)).verdict).toBe("different");
  });
});

describe("as JSON", () => {
  test("white space does not count, order does", () => {
    expect(agreeAsJson(json('[{"a":1},{"a":2}]'), json('[ {"a": 1}, {"a": 2} ]')).verdict).toBe("close");
    expect(agreeAsJson(json('[{"a":1},{"a":2}]'), json('[{"a":2},{"a":1}]')).verdict).toBe("different");
  });
});
