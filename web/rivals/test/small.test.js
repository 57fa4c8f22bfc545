import assert from "node:assert/strict";
import { test } from "node:test";
import { equal } from "../src/equal.js";
import { fibonacci } from "../src/fibonacci.js";

test("fibonacci follows its definition", () => {
  const expected = [0, 1];
  for (let n = 2; n <= 25; n++) expected.push(expected[n - 1] + expected[n - 2]);
  assert.deepEqual(expected.map((_, n) => fibonacci(n)), expected);
});

test("bytes are equal only if all are", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assert.equal(equal(bytes, Uint8Array.of(1, 2, 3)), true);
  assert.equal(equal(bytes, Uint8Array.of(1, 2)), false);
  for (let i = 0; i < 3; i++) assert.equal(equal(bytes, bytes.map((byte, at) => byte ^ Number(at === i))), false);
  assert.equal(equal(new Uint8Array(0), new Uint8Array(0)), true);
});
