import { describe, expect, it } from "vitest";
import { sortRows } from "../src/index.js";
import { random } from "../build/page/check.js";
import { sortJson } from "../build/page/reference.js";

/** Rows whose keys are of every kind, with many that are alike. */
function mixed(rows: number, seed: number): { a?: unknown }[] {
  const next = random(seed);
  const kinds = [
    () => Math.round((next() - 0.5) * 20),
    () => (next() - 0.5) * 10 ** Math.round(next() * 600 - 300),
    () => -0,
    () => 0,
    () => String.fromCodePoint(Math.floor(next() * 0x300), 0x1f600 + Math.floor(next() * 3)),
    () => "\ud800",
    () => "\uffff",
    () => true,
    () => false,
    () => null,
    () => [1],
    () => ({ b: 1 }),
  ];
  return Array.from({ length: rows }, () => {
    const kind = Math.floor(next() * (kinds.length + 1));
    return kind === kinds.length ? {} : { a: kinds[kind]!() };
  });
}

describe("sortRows", () => {
  it.each([0, 1, 5, 400, 5000, 70_000])("orders %d rows as the definition does", (count) => {
    const rows = mixed(count, count + 1);
    for (const descending of [false, true]) {
      expect([...sortRows(rows, "a", { descending })]).toEqual(sortJson(JSON.stringify(rows), "a", descending));
    }
  });

  it("orders numbers by value, minus zero with zero, infinities at the ends", () => {
    const values = [0, -0, 5, Number.NEGATIVE_INFINITY, 1e-310, -1e-310, Number.POSITIVE_INFINITY, -5, Number.NaN];
    const few = values.map((a) => ({ a }));
    const expected = [8, 3, 7, 5, 0, 1, 4, 2, 6];
    expect([...sortRows(few, "a")]).toEqual(expected);
    // As many copies as take the other algorithm: each value's copies stay together, in order.
    const copies = 500;
    const many = Array.from({ length: copies }, () => few).flat();
    const order = [...sortRows(many, "a")];
    const values2 = order.map((row) => values[row % values.length]);
    expect(values2.map((value) => (value === 0 ? 0 : value)).filter((value, index, all) => !Object.is(value, all[index - 1]))).toEqual([
      Number.NaN, Number.NEGATIVE_INFINITY, -5, -1e-310, 0, 1e-310, 5, Number.POSITIVE_INFINITY,
    ]);
  });

  it("follows a path, of own members only", () => {
    const rows = [{ a: { b: 2 } }, { a: { b: 1 } }, { a: 3 }, {}, null, 7];
    expect([...sortRows(rows, "a.b")]).toEqual([2, 3, 4, 5, 1, 0]);
    expect([...sortRows([{ x: 1 }, { x: 0 }], "toString")]).toEqual([0, 1]);
  });
});
