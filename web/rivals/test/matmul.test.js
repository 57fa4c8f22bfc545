import assert from "node:assert/strict";
import { test } from "node:test";
import { matmulF32, matmulF64 } from "../src/matmul.js";
import { noise } from "./noise.js";

/** The definition. */
function reference(a, b, { m, k, n }) {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let p = 0; p < k; p++) c[i * n + j] += a[i * k + p] * b[p * n + j];
    }
  }
  return c;
}

function numbers(Type, length, seed) {
  return Type.from(noise(length, seed), (byte) => (byte - 128) / 37);
}

const shapes = [[1, 1, 1], [3, 4, 4], [2, 300, 5], [7, 257, 9], [97, 31, 66], [100, 513, 3]];

for (const [m, k, n] of shapes) {
  test(`${m} x ${k} times ${k} x ${n} agrees with the definition`, () => {
    const shape = { m, k, n };
    for (const [Type, multiply, tolerance] of [[Float32Array, matmulF32, 2e-7], [Float64Array, matmulF64, 1e-14]]) {
      const a = numbers(Type, m * k, 1);
      const b = numbers(Type, k * n, 2);
      const expected = reference(a, b, shape);
      const size = reference(a.map(Math.abs), b.map(Math.abs), shape);
      multiply(a, b, shape).forEach((value, i) => {
        assert.ok(Math.abs(value - expected[i]) <= tolerance * size[i], `${Type.name} ${i}: ${value}, ${expected[i]}`);
      });
    }
  });
}

test("a wrong length is named", () => {
  assert.throws(() => matmulF32(new Float32Array(3), new Float32Array(4), { m: 2, k: 2, n: 2 }), /a has 3 numbers, m x k is 4/);
});
