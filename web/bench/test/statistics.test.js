import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile, ratio } from "../src/statistics.js";

test("quantiles lie between the nearest values", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([10, 9]), 9.5); // By size, not by text.
  assert.equal(quantile([0, 1, 2, 3, 4], 0.25), 1);
  assert.equal(quantile([5], 0.75), 5);
  assert.throws(() => median([]), RangeError);
});

test("a ratio within rounds forgets what slowed a round", () => {
  assert.equal(ratio([1, 10, 1], [2, 20, 2]), 2);
});
